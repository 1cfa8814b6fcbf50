import { type DBSchema, deleteDB, type IDBPDatabase, type OpenDBCallbacks, openDB } from 'idb';
import { mended, type Note } from './note.ts';

interface Schema extends DBSchema {
  notes: { key: string; value: Note; indexes: { user: string } };
}

let connection: Promise<IDBPDatabase<Schema>> | undefined;

const name = 'fieldbook';

/** One connection, opened on first use and again after the browser has dropped it or an opening failed. */
function open(): Promise<IDBPDatabase<Schema>> {
  connection ??= connect().catch((error: unknown) => {
    forget();
    throw error;
  });
  return connection;
}

async function connect(): Promise<IDBPDatabase<Schema>> {
  const callbacks: OpenDBCallbacks<Schema> = {
    upgrade(db) {
      db.createObjectStore('notes', { keyPath: 'id' }).createIndex('user', 'user');
    },
    // A newer version of the app in another tab must not wait for this one.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      forget();
    },
    terminated: forget,
  };
  const db = await openDB<Schema>(name, 1, callbacks).catch((error: unknown) => {
    if (!(error instanceof DOMException) || error.name !== 'VersionError') throw error;
    // Later versions only add to the schema, so this version can use the database as it is.
    return openDB<Schema>(name, undefined, callbacks);
  });
  if (db.objectStoreNames.contains('notes')) return db;
  // A database without its object store has nothing to lose.
  db.close();
  await deleteDB(name);
  return openDB<Schema>(name, 1, callbacks);
}

function forget(): void {
  connection = undefined;
}

/** Reads all notes of one user, in no order. */
export async function readNotes(user: string): Promise<Note[]> {
  return (await (await open()).getAllFromIndex('notes', 'user', user)).map(mended);
}

/** Reads one note as stored now; undefined: deleted. */
export async function readNote(id: string): Promise<Note | undefined> {
  const note = await (await open()).get('notes', id);
  return note && mended(note);
}

/** Stores a note; rejects (QuotaExceededError and others) if it is not stored. */
export async function writeNote(note: Note): Promise<void> {
  await (await open()).put('notes', note);
}

/** Permanently deletes a note; a missing one is not an error. */
export async function removeNote(id: string): Promise<void> {
  await (await open()).delete('notes', id);
}

/** Permanently deletes all notes of one user, all or none. */
export async function removeNotes(user: string): Promise<void> {
  const transaction = (await open()).transaction('notes', 'readwrite', { durability: 'strict' });
  const ids = await transaction.store.index('user').getAllKeys(user);
  await Promise.all([...ids.map((id) => transaction.store.delete(id)), transaction.done]);
}
