// The compiler reads the types of @holdfast/client as its users do, so that is built first.
import '../sdk/build.js';
import { buildModules } from '../build-modules.js';

buildModules(import.meta.url);
