#!/usr/bin/env node
// The command line. A command is a file beside this one that exports `run`; only the one that is called is loaded.

import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe } from '../errors.ts'
import { suggest } from '../problems.ts'
import { projectRoot, UsageError } from './terminal.ts'
import type { Command, Terminal } from './terminal.ts'

let interrupted: AbortController | undefined

/** Arguments and what a command does, by its name. */
const commands: Readonly<Record<string, readonly [string, string]>> = {
  lint: ['[files]', 'check configuration, schemas and pipelines, without starting anything'],
  test: ['[pipelines]', 'run pipelines/<id>.test.yaml: rows in, rows out'],
  new: ['input|transform|output <name>', 'begin a plugin: code, README and a test that passes'],
  docs: ['[--check]', 'fill the option tables of the READMEs'],
  schema: ['[--check]', 'write the JSON Schemas that editors complete YAML with'],
  status: ['[--watch] [--json]', 'show how the running pipelines and topics are'],
  plan: ['[--json]', 'show what a reload would change'],
  export: ['[file.tar.gz]', 'write pipelines, schemas and settings, as they are set up now, to an archive, with secrets as ***'],
  reload: ['[--plan hash] [--json]', 'apply changed files to the running platform, all or nothing'],
  pause: ['<pipeline>', 'stop a pipeline until it is resumed'],
  resume: ['<pipeline>', 'let a paused pipeline run again'],
  restart: ['<pipeline>', 'stop a pipeline and start it anew'],
  job: ['list | show <job> [run] | run <job> [--from t] [--to t] [--param name=value] [--no-wait] | backfill <job> --from t --to t [--dry-run] [--no-wait] | cancel <job> [run] | retry <job> [run] [--no-wait] | log <job> [run] | days <job> [--from t] [--to t] | pause <job>|--all | resume <job>|--all; each [--json]', 'show jobs, runs, their logs and days; start, repeat, cancel, pause and resume them'],
  logs: ['[words] [--part name] [--step name] [--level name] [--last 6h] [--from t] [--to t] [--limit n] [--follow] [--json]', 'search the log of every part, and follow it'],
  costs: ['[--json]', 'show what the platform costs this month, by part and dataset'],
  tail: ['<topic> [--follow] [--rows n] [--json]', 'show the last rows of a topic'],
  rejected: ['<topic> [--reason text] [--step name] [--limit n] [--json]', 'show refused rows that wait, by reason'],
  redeliver: ['<topic> [--reason text] [--step name] [--dry-run] [--at-least-once] [--json]', 'take refused rows through the pipelines as they are now'],
  quality: ['[topic] [--json]', 'show the latest result of each quality rule'],
  parity: ['<topic> <day> [--json]', 'compare a day in the lake with what the databases hold of it'],
  replay: ['<topic> --into topic [--from time] [--to time] [--speed 10x|max] [--source lake|topic] [--no-wait] [--json]', 'send rows of a topic into another one, in the order in which they happened'],
  lake: ['[topic] [--json]', 'show what the lakes hold; with a topic, the files that count, one a line'],
  query: ['"<sql>" [--format name]', 'send one statement to ClickHouse'],
  clickhouse: ['[--data folder] [--host address] [--port n] [--user name] [--memory-gigabytes n]', 'run the embedded ClickHouse alone, for several runtimes to share, until Ctrl-C'],
  move: ['--to kafka://host:port[,host:port] [--clickhouse url] [--lake s3://bucket/prefix] [--lake-endpoint url] [--lake-region name] [--dry-run]', 'take an embedded installation along to Kafka, a ClickHouse server and a store, and compare all that is there then'],
  backup: ['[--to folder|s3://bucket/prefix] | --list | --verify <id>; each [--json]', 'make a backup of everything, or bring one back into a scratch place'],
  restore: ['<place>[/<id>] [--keep-files]', 'bring a backup back into an empty data folder'],
  check: ['[test…] [--json]', 'run the tests of the platform: connections, tables, certificates, lakes, backup'],
  user: ['add <name> [--roles a,b] [--teams a,b] [--datasets a,b] [--title text] [--email address] [--no-password] | list | disable <name> | enable <name> | password <name> | remove <name>; each [--json]', 'say who may log in; passwords are read from the terminal, or from what is piped in'],
  token: ['add <title> --user name --scopes a,b [--datasets a,b] [--days n] | list | revoke <id>; each [--json]', 'make and revoke what programs log in with'],
  audit: ['verify [file] [--json] | export', 'check the audit log, or an exported one; write it out'],
  simulate: ['<source> [options]', 'run a source that behaves like the real one, until Ctrl-C']
}

/** Runs one command line and resolves to its exit code: 0 well, 1 problems found, 2 wrong arguments. */
export async function main (args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = 'help', ...rest] = args
  const available = Object.keys(commands).filter(command => existsSync(join(import.meta.dirname, `${command}.ts`)))
  // A simulator explains itself.
  const asksHelp = name !== 'simulate' && (rest.includes('--help') || rest.includes('-h'))
  if (['help', '--help', '-h'].includes(name) || asksHelp) {
    for (const line of help(available, asksHelp ? name : '')) terminal.print(line)
    return 0
  }
  if (!available.includes(name)) {
    terminal.complain(`There is no command ${JSON.stringify(name)}${suggest(name, [...available, 'help'])}`)
    return 2
  }
  try {
    const command = await import(`./${name}.ts`) as Command
    return await command.run(rest, terminal)
  } catch (error) {
    const wrongArguments = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true
    terminal.complain(describe(error))
    if (wrongArguments) terminal.complain(`Usage: twolane ${name} ${commands[name]?.[0]}`)
    return wrongArguments ? 2 : 1
  }
}

/** All commands, or one with its arguments. */
function help (available: readonly string[], name: string): string[] {
  const [usage, text] = commands[name] ?? []
  if (usage !== undefined && text !== undefined) return [`twolane ${name}: ${text}`, '', ...usage.split(' | ').map(one => `  twolane ${name} ${one}`.trimEnd())]
  const width = Math.max(...available.map(command => command.length))
  return ['Usage: twolane <command>', '', ...available.map(command => `  ${command.padEnd(width)}  ${commands[command]?.[1]}`), '', 'twolane <command> --help shows its arguments.']
}

// A link in node_modules/.bin is how it is usually called.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const folder = process.cwd()
  // Whoever reads the output may have seen enough.
  process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1))
  process.exitCode = await main(process.argv.slice(2), {
    root: projectRoot(folder),
    folder,
    env: process.env,
    print: line => { process.stdout.write(`${line}\n`) },
    complain: line => { process.stderr.write(`${line}\n`) },
    out: process.stdout,
    get signal () { return interruption() }
  })
}

/** Only a command that asks for it outlives the first Ctrl-C; the second one ends it in any case. */
function interruption (): AbortSignal {
  if (interrupted !== undefined) return interrupted.signal
  const controller = interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  return controller.signal
}
