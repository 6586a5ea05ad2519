import { download, EXPORT_BYTES_MIN } from './download.ts'
import { ExportDialog } from './export-dialog.ts'
import { SaveDialog } from './save-dialog.ts'
import { snippets } from './snippets.ts'
import { Menu, copy } from '../../parts/menu.ts'
import { complain, say } from '../../parts/toast.ts'
import { html, useState } from '../../kit/html.ts'
import { bytes } from '../../kit/number.ts'
import { href, route } from '../../kit/route.ts'
import type { VNode } from '../../kit/html.ts'
import type { Format, Question } from './question.ts'

const files: ReadonlyArray<readonly [Format, string]> = [['csv', 'CSV'], ['parquet', 'Parquet'], ['arrow', 'Arrow'], ['ndjson', 'NDJSON']]

/** What can be done with a question besides looking at its answer. */
export function TakeAlong ({ question, complete }: { readonly question: Question, readonly complete: boolean }): VNode {
  const [dialog, setDialog] = useState<'save' | 'export'>()
  const fetchFile = async (format: Format): Promise<void> => {
    say('The file is on its way.')
    try {
      const size = await download(question, format)
      if (size !== undefined) say(`${bytes(size)} are in your downloads.`)
    } catch (error) {
      complain(error)
    }
  }
  const share = (): Promise<void> => {
    const { path, query } = route.peek()
    return copy(`${location.origin}${location.pathname}${href(path, { ...query, run: 1 })}`, 'The link')
  }
  return html`<div class="buttons end">
    ${complete && html`
      <${Menu} label="Download" icon="down" items=${[...files.map(([format, label]) => ({ label, onSelect: () => fetchFile(format) })), { label: `Export… (over ${bytes(EXPORT_BYTES_MIN)})`, onSelect: () => setDialog('export') }]} />
      <${Menu} label="Copy as" icon="copy" items=${[
        ...snippets.map(({ label, text }) => ({ label, onSelect: () => copy(text(question), label) })),
        { label: 'Link to this question', onSelect: share },
        { label: 'Saved endpoint…', onSelect: () => setDialog('save') }
      ]} />`}
    ${dialog === 'save' && html`<${SaveDialog} question=${question} onClose=${() => setDialog(undefined)} />`}
    ${dialog === 'export' && html`<${ExportDialog} question=${question} onClose=${() => setDialog(undefined)} />`}
  </div>`
}
