// @holdfast/node as its users install it.
import { checkPack } from './packed.js';

checkPack({
  name: '@holdfast/node',
  folder: 'node',
  consumer: 'back-end.ts',
  requires: [{ name: '@holdfast/client', folder: 'sdk' }],
  modules: ['jose', '@types/node', 'undici-types'],
  compilerOptions: { types: ['node'] },
});
