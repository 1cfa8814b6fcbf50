// @holdfast/node as its users install it.
import { checkPack } from './packed.js';

checkPack({
  name: '@holdfast/node',
  folder: 'node',
  // The oldest and the newest: with the types of others, each run takes seconds.
  compilers: ['5.4', '7'],
  consumer: 'back-end.ts',
  requires: [{ name: '@holdfast/client', folder: 'sdk' }],
  modules: ['jose', '@types/node', 'undici-types'],
  compilerOptions: { types: ['node'] },
});
