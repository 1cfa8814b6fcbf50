import { i18n, type Messages } from '@lingui/core';

/** The languages on offer, each by its own name. */
export const languages = { en: 'English', de: 'Deutsch' } as const;

export type Language = keyof typeof languages;

/** The translations of one language, by English text. */
export type Catalogue = Readonly<Record<string, string>>;

declare const process: { env: { NODE_ENV?: string } };

const key = 'holdfast-language';

// The build compiles messages (words-plugin.ts): those left as text have no placeholders.
if (process.env.NODE_ENV === 'production') i18n.setMessagesCompiler((text) => [text]);
i18n.loadAndActivate({ locale: 'en', messages: {} });

/**
 * Translates. `message` is the English text in ICU MessageFormat, always a literal, and the key of its translations; English
 * itself needs no catalogue.
 *
 * @example
 * t('{count, plural, one {# note} other {# notes}} of {owner}', { count, owner });
 */
export function t(message: string, values?: Record<string, unknown>): string {
  return i18n._(message, values);
}

/** Joins sentences; what is not there is left out. */
export function sentences(...parts: readonly (string | null | false)[]): string {
  return parts.filter(Boolean).join(' ');
}

/** "One, two and three", or with another word between the last two. */
export function list(parts: readonly string[], type: 'conjunction' | 'disjunction' = 'conjunction'): string {
  return new Intl.ListFormat(locale(), { type }).format(parts);
}

/** The language in use. */
export function language(): Language {
  return i18n.locale as Language;
}

/** The reader's variant of the language in use, such as en-GB, for dates and numbers. */
export function locale(): string {
  return variant(language(), wanted());
}

/** The first of the reader's languages that is a variant of this one. */
export function variant(language: Language, wanted: readonly string[]): string {
  return wanted.find((each) => isOf(each, language)) ?? { en: 'en-GB', de: 'de-DE' }[language];
}

/** The language chosen in this browser, else the first of the reader's that is on offer, else English. */
export function preferred(): Language {
  const known = Object.keys(languages) as Language[];
  const chosen = known.find((each) => each === stored());
  if (chosen) return chosen;
  for (const each of wanted()) {
    const offered = known.find((language) => isOf(each, language));
    if (offered) return offered;
  }
  return 'en';
}

/**
 * Speaks the preferred language from now on. `load` loads its catalogue; if that fails, the page stays English. Texts made
 * before do not change.
 */
export async function speak(load: (language: Exclude<Language, 'en'>) => Promise<Catalogue>): Promise<void> {
  const language = preferred();
  try {
    if (language !== 'en') i18n.load(language, (await load(language)) as Messages);
    i18n.activate(language, [variant(language, wanted())]);
  } catch {
    i18n.activate('en', [variant('en', wanted())]);
  }
  document.documentElement.lang = i18n.locale;
  document.documentElement.dir = direction(i18n.locale);
}

/** Keeps the choice for this browser. It takes effect when the page is loaded again. */
export function choose(language: Language): void {
  try {
    localStorage.setItem(key, language);
  } catch {
    // Without storage, the browser's languages decide.
  }
}

function direction(locale: string): string {
  const known = new Intl.Locale(locale) as { textInfo?: TextInfo; getTextInfo?: () => TextInfo };
  return (known.getTextInfo?.() ?? known.textInfo)?.direction ?? 'ltr';
}

interface TextInfo {
  readonly direction: string;
}

function stored(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function wanted(): readonly string[] {
  return globalThis.navigator?.languages ?? [];
}

function isOf(tag: string, language: string): boolean {
  return tag === language || tag.startsWith(`${language}-`);
}
