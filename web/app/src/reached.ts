import { signal } from '@preact/signals';

/** Whether the last request found the server; null: none was made yet. */
export const reached = signal<boolean | null>(null);

/** `fetch`, noting in passing whether it found the server. A captive portal's page is no server. */
export async function watchedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(input, init);
    const type = answer.headers.get('Content-Type') ?? '';
    reached.value = answer.status < 500 && (answer.status === 204 || /[/+]json\b/.test(type));
    return answer;
  } catch (error) {
    reached.value = false;
    throw error;
  }
}
