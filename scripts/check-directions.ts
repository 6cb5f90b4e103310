// Reports every import that goes against the rules of direction.

import path from 'node:path';
import { checkDirections } from './directions';

const faults = checkDirections(path.join(__dirname, '..'));
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
