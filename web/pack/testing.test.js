// @holdfast/testing as its users install it.
import { checkPack } from './packed.js';

checkPack({
  name: '@holdfast/testing',
  folder: 'testing',
  // The oldest and the newest: the client's types are checked by all.
  compilers: ['5.4', '7'],
  consumer: 'unit-tests.ts',
  requires: [{ name: '@holdfast/client', folder: 'sdk' }],
  modules: ['idb'],
});
