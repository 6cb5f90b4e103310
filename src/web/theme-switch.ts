import { icon } from './icons';

const KEY = 'flow-theme';
const isSystemDark = window.matchMedia('(prefers-color-scheme: dark)');

/** Puts a picture into the button, and lets it change between dark and light. What is chosen holds for all pages and stays. */
export function themeSwitch(button: HTMLButtonElement): void {
  const { dataset } = document.documentElement;
  const isDark = (): boolean => (dataset['theme'] ?? (isSystemDark.matches ? 'dark' : 'light')) === 'dark';
  const show = (): void => button.setAttribute('aria-pressed', String(isDark()));
  button.replaceChildren(icon('light'));
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    dataset['theme'] = theme;
    localStorage.setItem(KEY, theme);
    show();
  });
  isSystemDark.addEventListener('change', show);
  show();
}
