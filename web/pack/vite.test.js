// @holdfast/vite as its users install it.
import { checkPack } from './packed.js';

checkPack({
  name: '@holdfast/vite',
  folder: 'vite',
  // The oldest and the newest: with the types of others, each run takes seconds.
  compilers: ['5.4', '7'],
  consumer: 'vite-config.ts',
  requires: [{ name: '@holdfast/client', folder: 'sdk' }],
  modules: 'all',
  extra: ['client.d.ts', 'worker/sw.js'],
  compilerOptions: { types: ['node'], skipLibCheck: true },
});
