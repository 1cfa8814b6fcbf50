/** The console's logo: an anchor. Decorative: the name is beside it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path
        class="mark-anchor"
        d="M16 11.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM16 11.5V25M11.5 15h9M7.5 18.5c.6 4 4 6.5 8.5 6.5s7.9-2.5 8.5-6.5"
      />
    </svg>
  );
}
