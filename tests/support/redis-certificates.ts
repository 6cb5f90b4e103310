import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)('openssl', args);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Paths of an authority's certificate, and of one that it has signed for this machine. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** An authority nobody has heard of, and a certificate of its own for `localhost` and 127.0.0.1. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const path = (name: string): string => join(directory, name);
  const [ca, caKey, request, extensions] = [path('ca.crt'), path('ca.key'), path('redis.csr'), path('redis.ext')];
  const [certificate, key] = [path('redis.crt'), path('redis.key')];
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    caKey,
    '-out',
    ca,
    '-days',
    '1',
    '-subj',
    '/CN=flow test authority',
  );
  await openssl('req', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', '/CN=localhost');
  await writeFile(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signing = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '1', '-extfile', extensions];
  await openssl('x509', '-req', '-in', request, ...signing, '-out', certificate);
  return { ca, certificate, key };
}
