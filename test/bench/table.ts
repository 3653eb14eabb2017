/** Rows of text under each other, numbers to the right. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  )
  const isNumber = (text: string): boolean => /^[\d,.\-]+( [kMG]?B)?$/.test(text)
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const width = widths[i] as number
        const column = rows.map((row) => row[i] ?? '')
        return column.every(isNumber) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function seconds(value: number): string {
  return value.toFixed(value < 1 ? 3 : 1)
}

export function megabytes(bytes: number): string {
  return `${count(bytes / 1e6)} MB`
}
