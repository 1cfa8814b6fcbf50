import { choose, type Language, language, languages } from './words.ts';

/** Chooses the language of the page, for this browser. Each is named in itself, for those who read no other. */
export function LanguageChoice({ label }: { label: string }) {
  return (
    <select
      class="language"
      aria-label={label}
      value={language()}
      onChange={(event) => {
        choose(event.currentTarget.value as Language);
        location.reload();
      }}
    >
      {Object.entries(languages).map(([code, name]) => (
        <option key={code} value={code} lang={code}>
          {name}
        </option>
      ))}
    </select>
  );
}
