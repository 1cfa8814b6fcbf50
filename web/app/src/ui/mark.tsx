/** The app's logo: a page and a hill. Decorative: the name is beside it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path
        class="mark-page"
        d="M9 7h14a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 23 25H9a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 9 7Z"
      />
      <path class="mark-line" d="M11 11.5h10M11 14.75h6" />
      <path
        class="mark-hill"
        d="M7.5 21.5c3-3.6 6-3.6 9-.9 2.6 2.2 5.2 1.8 8-1.6v4.5A1.5 1.5 0 0 1 23 25H9a1.5 1.5 0 0 1-1.5-1.5Z"
      />
    </svg>
  );
}
