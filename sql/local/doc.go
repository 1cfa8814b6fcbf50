// Package local runs a private PostgreSQL cluster: the default database of Holdfast, and the one for tests.
//
// The cluster lives in one folder. It listens only on a Unix socket that only its user and root can reach, never on TCP. It
// has two roles: [Owner] created the cluster and migrates; the server acts as [Runtime].
//
//	DIR/lock    held (flock) by the process that started the cluster, for as long as that process lives
//	DIR/data    PostgreSQL's own folder
//	DIR/socket  the socket, unless the path does not do for one (too long, a comma): then in a new temporary folder
//
// PostgreSQL ends with the process that started it, whatever ends that process. A process that is killed leaves a
// server that needs a moment to shut down: the next Start waits for it.
package local
