/** The plugin whose file is nearest to the top of a stack trace, such as `outputs/http`; undefined: none. */
export function pluginIn (stack: string | undefined): string | undefined {
  const match = /[\\/]plugins[\\/](inputs|transforms|outputs)[\\/]([^\\/]+)[\\/]/.exec(stack ?? '')
  return match === null ? undefined : `${match[1]}/${match[2]}`
}
