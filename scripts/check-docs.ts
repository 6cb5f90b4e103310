// Documentation in step with code: README.md and .env.development.

import path from 'node:path';
import { docFaults } from './tables';

const faults = docFaults(path.join(__dirname, '..'));
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
