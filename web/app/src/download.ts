/** Hands a file to the browser. */
export function download(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // By the next task, the download holds its own reference to the data.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
