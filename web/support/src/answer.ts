import type { operations } from '@holdfast/api';

/** The body of an operation's success, by its operationId in api/openapi.yaml. */
export type Answer<Id extends keyof operations> = operations[Id]['responses'] extends
  | { readonly 200: Success<infer Body> }
  | { readonly 201: Success<infer Body> }
  ? Body
  : never;

interface Success<Body> {
  readonly content: { readonly 'application/json': Body };
}
