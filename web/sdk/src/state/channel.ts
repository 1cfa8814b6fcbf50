/** Notifies the other tabs and workers of the same name of a change. */
export interface Channel {
  post(): void;
  close(): void;
}

/** Opens the channel of that name. If the browser denies channels, the result sends and receives nothing. */
export function openChannel(name: string, heard: () => void): Channel {
  try {
    const channel = new BroadcastChannel(name);
    channel.onmessage = heard;
    return { post: () => channel.postMessage(null), close: () => channel.close() };
  } catch {
    return { post() {}, close() {} };
  }
}
