import { buildModules, needClient } from '../build-modules.js';

needClient();
buildModules(import.meta.url);
