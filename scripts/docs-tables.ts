// Prints the tables of README.md as the code would have them.

import { errorTable, variableTable } from './tables';

console.log(`${errorTable()}\n\n${variableTable()}`);
