import { expect, test } from 'vitest';
import examples from '../../examples/package-lock.json?raw';
import pack from '../../pack/package-lock.json?raw';
import text from '../../package-lock.json?raw';

test('the lock files of the package checks and the examples contain no download URLs', () => {
  expect(pack).not.toContain('"resolved"');
  expect(examples).not.toContain('"resolved"');
});

test('the lock file contains no download URLs', () => {
  const { packages } = JSON.parse(text) as { packages: Record<string, { resolved?: string; link?: true }> };
  const workspaces = Object.entries(packages).filter(([, { link }]) => link);
  expect(workspaces.map(([path]) => path).sort()).toEqual([
    'node_modules/@holdfast/api',
    'node_modules/@holdfast/client',
    'node_modules/@holdfast/fieldbook',
    'node_modules/@holdfast/kit',
    'node_modules/@holdfast/node',
    'node_modules/@holdfast/react',
    'node_modules/@holdfast/support',
    'node_modules/@holdfast/testing',
    'node_modules/@holdfast/vite',
  ]);
  const elsewhere = Object.entries(packages).filter(([, { resolved, link }]) => resolved !== undefined && !link);
  expect(elsewhere.map(([path]) => path)).toEqual([]);
  expect(workspaces.every(([, { resolved }]) => resolved && !resolved.includes(':'))).toBe(true);
});
