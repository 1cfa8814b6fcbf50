import type { ComponentChildren } from 'preact';

/** Icons accompany text and are hidden from screen readers. */
function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      {children}
    </svg>
  );
}

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <path d="M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="m12 4-6 6 6 6" />
  </Icon>
);

export const BinIcon = () => (
  <Icon>
    <path d="M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4M11.5 9v4" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <path d="M5.5 9h9v7h-9zM7 9V6.5a3 3 0 0 1 6 0V9" />
  </Icon>
);

export const SettingsIcon = () => (
  <Icon>
    <path d="M3 6h7m4 0h3M3 14h3m4 0h7M12 4v4M8 12v4" />
  </Icon>
);

export const CopyIcon = () => (
  <Icon>
    <path d="M7 7h9v9H7zM13 7V4H4v9h3" />
  </Icon>
);

export const DoneIcon = () => (
  <Icon>
    <path d="m4 10.5 4 4 8-9" />
  </Icon>
);
