// The web page as files in memory: the modules of panel/ bundled and split by esbuild, each file under a name that holds
// a hash of its content, and compressed once. Browsers keep such a file for good, because another content has another name.

import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { readFile } from 'node:fs/promises'
import type { Metafile } from 'esbuild'

/** A file as it is sent. */
export interface Asset {
  /** Media type. */
  readonly type: string
  readonly etag: string
  readonly plain: Buffer
  readonly brotli: Buffer
  readonly gzip: Buffer
}

export interface PanelFiles {
  /** The page of those who are logged in, and the public one. */
  readonly panel: Asset
  readonly status: Asset
  /** By file name, without a folder. */
  readonly assets: ReadonlyMap<string, Asset>
}

const folder = join(import.meta.dirname, 'panel')
const types: Readonly<Record<string, string>> = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' }

/** Bundles the page anew. Rejects where esbuild is missing or a module of the page is broken. */
export async function bundlePanel (): Promise<PanelFiles> {
  const { build } = await import('esbuild')
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: { main: 'main.ts', status: 'status.ts', style: 'style/main.css' },
    outdir: 'out',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    write: false,
    metafile: true,
    logLevel: 'silent'
  })
  const assets = await Promise.all(outputFiles.map(async ({ path, contents }) => [basename(path), await assetOf(typeOf(path), Buffer.from(contents))] as const))
  const template = await readFile(join(folder, 'page.html'), 'utf8')
  return { panel: await pageOf(template, 'main.ts', metafile), status: await pageOf(template, 'status.ts', metafile), assets: new Map(assets) }
}

async function pageOf (template: string, entry: string, { outputs }: Metafile): Promise<Asset> {
  const nameOf = (point: string): string => Object.keys(outputs).find(name => outputs[name]?.entryPoint === point) ?? ''
  const script = nameOf(entry)
  // What the entry needs at once is asked for at once, instead of after the entry was read.
  const chunks = (outputs[script]?.imports ?? []).filter(({ kind }) => kind === 'import-statement').map(({ path }) => path)
  const address = (path: string): string => `/assets/${basename(path)}`
  const html = template
    .replace('{style}', address(nameOf('style/main.css')))
    .replace('{script}', address(script))
    .replace('{preload}', chunks.map(path => `<link rel="modulepreload" href="${address(path)}">`).join(''))
  return assetOf('text/html; charset=utf-8', Buffer.from(html))
}

async function assetOf (type: string, plain: Buffer): Promise<Asset> {
  const [brotli, zipped] = await Promise.all([
    promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
    promisify(gzip)(plain, { level: 9 })
  ])
  return { type, etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`, plain, brotli, gzip: zipped }
}

function typeOf (path: string): string {
  return types[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}
