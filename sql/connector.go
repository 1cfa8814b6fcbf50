package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"go.opentelemetry.io/otel/trace"
)

const (
	// commitTime is how long a server's commit may take, including the wait for a synchronous standby. It does not depend
	// on the request, whose deadline could interrupt that wait.
	commitTime = 5 * time.Second
	// ownerCommitTime is the same for an operator's commands, which commit more at a time.
	ownerCommitTime = time.Minute
	// grace is how long PostgreSQL may take to confirm a cancelled statement before the connection is dropped.
	grace = time.Second
)

// connector makes the connections of a pool. Every statement and commit of the program goes through them. They guarantee
// three things:
//
//   - A commit is confirmed as the database is configured, or fails with an [UnknownOutcomeError].
//   - Every exchange with the server ends at most a second after its context, its limit or commitTime, even if the server
//     does not answer.
//   - When one connection finds the server gone, hanging or read-only, no connection made before is used again.
type connector struct {
	*pq.Connector
	commit time.Duration
	// settings is the statement that each session begins with. Poolers refuse most settings at the start of a connection.
	settings string
	// limit is how long a statement may take; 0 means as long as its context allows.
	limit atomic.Int64
	// generation is raised to drop all connections made so far.
	generation atomic.Int64
}

func newConnector(config pq.Config, commit time.Duration) (*connector, error) {
	settings := setSettings(config.Runtime)
	config.Runtime = nil
	inner, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, err
	}
	inner.Dialer(&poolDialer{newDialer()})
	return &connector{Connector: inner, commit: commit, settings: settings}, nil
}

// Connect implements [driver.Connector]. It returns an [UnavailableError] if no host accepts the connection or none is
// read-write.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := made.ExecContext(ctx, c.settings, nil); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// connect is Connect without the settings.
func (c *connector) connect(ctx context.Context) (*conn, error) {
	made := &conn{connector: c, born: c.generation.Load(), repeated: map[string]pqStmt{}}
	stop := context.AfterFunc(ctx, made.socket.abort) // the driver ignores the context during the handshake
	defer stop()
	inner, err := c.Connector.Connect(context.WithValue(ctx, socketKey{}, &made.socket))
	if err != nil {
		if refused := (*pq.Error)(nil); !errors.As(err, &refused) && !errors.Is(err, context.Canceled) {
			err = &UnavailableError{err}
		}
		return nil, err
	}
	pq.SetNoticeHandler(inner, made.hear)
	made.pqConn = inner.(pqConn) //nolint:forcetypeassert // the driver asserts at compile time that it has all of these
	return made, nil
}

// pqConn is the interface of the driver's connections.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// conn is a connection, which database/sql uses from one goroutine at a time.
type conn struct {
	pqConn
	connector   *connector
	socket      socket
	born        int64 // the connector's generation when the connection was made
	lost        bool
	transaction bool
	unconfirmed bool              // this exchange committed without a synchronous standby's confirmation
	repeated    map[string]pqStmt // statements of transactions, by their text; nil until they are prepared
}

// commits reports whether the statement changes something and so, outside a transaction, commits by itself. Statements that
// only lock count, too. If it misses a statement, that statement is cancelled with its request, but still never counts as
// done without confirmation.
func commits(query string) bool {
	for _, change := range []string{"INSERT INTO", "UPDATE ", "DELETE FROM"} {
		if strings.Contains(query, change) {
			return true
		}
	}
	return false
}

// hear receives the server's notices. PostgreSQL only warns when it gives up waiting for a synchronous standby: the
// transaction is committed on this server but may be lost with it. The warning's text is translated and its code is
// generic, so hear recognises it by the routine that issues it (syncrep.c since PostgreSQL 9.1).
func (c *conn) hear(notice *pq.Error) {
	if notice.Routine == "SyncRepWaitForLSN" {
		c.unconfirmed = true
	}
}

// wholeKey is the key under which the context of [brief] holds the one that it was made from.
type wholeKey struct{}

// brief returns a context for a statement that finds its rows by key. database/sql and the driver each start a goroutine to
// wait for the end of a context; this one hides its end from the former, and from the latter unless the statement commits.
// exchange still obeys it, but does not cancel a statement that reads: one that waits goes on until its statement_timeout.
func brief(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), wholeKey{}, ctx)
}

// exchange bounds one exchange with the server. An exchange that commits gets commitTime, even if the request ends. If the
// context ends during an exchange, the socket gets a deadline and the connection is not used again.
func (c *conn) exchange(ctx context.Context, commits bool) (bounded context.Context, end func()) {
	cancel := func() {}
	whole, isBrief := ctx.Value(wholeKey{}).(context.Context)
	if isBrief {
		ctx = whole
	}
	commits = commits && !c.transaction
	span := traced(ctx, "exchange")
	switch limit := time.Duration(c.connector.limit.Load()); {
	case commits:
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), c.connector.commit)
	case limit > 0:
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	c.unconfirmed = false
	c.socket.wrote.Store(false)
	stop := context.AfterFunc(ctx, c.socket.hurry)
	end = func() {
		if !stop() {
			c.lost = true
		}
		cancel()
		span.End()
	}
	if isBrief && !commits { // the driver cancels a commit that waits for a standby, which has no time limit on the server
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, end
}

// traced begins a span, which does nothing unless the request in ctx is traced.
func traced(ctx context.Context, name string) trace.Span {
	span := trace.SpanFromContext(ctx)
	if span.IsRecording() {
		_, span = span.TracerProvider().Tracer("holdfast/sql").Start(ctx, "PostgreSQL "+name, trace.WithSpanKind(trace.SpanKindClient))
	}
	return span
}

// judge turns the result of an exchange into the error to return. A single statement that may have been committed must
// neither count as done nor be sent again, as database/sql would do after driver.ErrBadConn.
func (c *conn) judge(err error, changes bool) error {
	gone, sent := err != nil && isTransport(err), c.socket.wrote.Load()
	if gone {
		c.lost = true
	}
	if gone && sent || pq.As(err, pqerror.ReadOnlySQLTransaction) != nil {
		c.lost = true
		c.connector.generation.CompareAndSwap(c.born, c.born+1)
	}
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) // the answer was not read
	switch {
	case c.transaction:
		return err
	case c.unconfirmed && (err == nil || errors.Is(err, io.EOF)):
		c.unconfirmed = false
		return &UnknownOutcomeError{errors.New("no synchronous standby has confirmed it")}
	case changes && sent && (gone || ended):
		return &UnknownOutcomeError{errors.New("the connection was lost: " + err.Error())}
	}
	return err
}

// isTransport reports whether err means that the connection broke or fell silent; the driver reports much of that as
// driver.ErrBadConn. The end of a context is not a transport error.
func isTransport(err error) bool {
	network := (*net.OpError)(nil)
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ETIMEDOUT)
}

// usable reports whether the connection may be used again.
func (c *conn) usable() bool { return !c.lost && c.born == c.connector.generation.Load() }

// IsValid implements [driver.Validator].
func (c *conn) IsValid() bool { return c.usable() && c.pqConn.IsValid() }

// ResetSession implements [driver.SessionResetter].
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.usable() {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// Close implements [driver.Conn]. It never fails: a connection that cannot say goodbye is closed all the same.
func (c *conn) Close() error {
	c.socket.hurry()
	_ = c.pqConn.Close()
	return nil
}

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	ctx, end := c.exchange(ctx, false)
	defer end()
	return c.judge(c.pqConn.Ping(ctx), false)
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	ctx, end := c.exchange(ctx, commits(query))
	defer end()
	statement, err := c.again(ctx, query, args)
	switch {
	case statement != nil:
		result, err = statement.ExecContext(ctx, args)
	case err == nil:
		result, err = c.pqConn.ExecContext(ctx, query, args)
	}
	return result, c.judge(err, true)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, commits(query), func(ctx context.Context) (driver.Rows, error) {
		statement, err := c.again(ctx, query, args)
		switch {
		case statement != nil:
			return statement.QueryContext(ctx, args)
		case err != nil:
			return nil, err
		}
		return c.pqConn.QueryContext(ctx, query, args)
	})
}

// again returns the prepared statement for a query that the connection has run in a transaction before, or nil. To parse and
// plan such a query takes longer than to run it. Other queries read lists, whose best plans depend on the arguments.
func (c *conn) again(ctx context.Context, query string, args []driver.NamedValue) (pqStmt, error) {
	statement, known := c.repeated[query]
	if statement != nil || !c.transaction || len(args) == 0 {
		return statement, nil
	}
	if c.repeated[query] = nil; !known {
		return nil, nil //nolint:nilnil // no statement, no error
	}
	prepared, err := c.pqConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.repeated[query] = prepared.(pqStmt) //nolint:forcetypeassert // as above
	return c.repeated[query], nil
}

func (c *conn) query(ctx context.Context, commits bool, ask func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	ctx, end := c.exchange(ctx, commits)
	inner, err := ask(ctx)
	if err := c.judge(err, commits); err != nil {
		end()
		return nil, err
	}
	return &rows{Rows: inner, conn: c, commits: commits, end: end}, nil
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	ctx, end := c.exchange(ctx, false)
	defer end()
	inner, err := c.pqConn.PrepareContext(ctx, query)
	if err := c.judge(err, false); err != nil {
		return nil, err
	}
	return &stmt{pqStmt: inner.(pqStmt), conn: c, commits: commits(query)}, nil //nolint:forcetypeassert // as above
}

// BeginTx implements [driver.ConnBeginTx]. It hides the end of ctx from the driver, which would otherwise cancel the
// commit, too.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	_, end := c.exchange(ctx, false)
	defer end()
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	inner, err := c.pqConn.BeginTx(whole, options)
	if pq.As(err, pqerror.FeatureNotSupported) != nil { // READ WRITE is refused by a server that has become a standby
		err = &pq.Error{Code: pqerror.ReadOnlySQLTransaction, Message: err.Error()}
	}
	if err := c.judge(err, false); err != nil {
		cancel()
		return nil, err
	}
	c.transaction = true
	return &tx{Tx: inner, conn: c, ctx: whole, cancel: cancel}, nil
}

// tx is a transaction; cancel interrupts its running statement.
type tx struct {
	driver.Tx
	conn   *conn
	ctx    context.Context //nolint:containedctx // the driver's methods take none
	cancel context.CancelFunc
}

// Commit implements [driver.Tx].
func (t *tx) Commit() error { return t.finish(t.Tx.Commit, true) }

// Rollback implements [driver.Tx].
func (t *tx) Rollback() error { return t.finish(t.Tx.Rollback, false) }

func (t *tx) finish(end func() error, changes bool) error {
	c := t.conn
	span := traced(t.ctx, "end of transaction")
	defer span.End()
	c.unconfirmed = false
	c.socket.wrote.Store(false)
	timer := time.AfterFunc(c.connector.commit, func() {
		t.cancel()
		c.socket.hurry()
	})
	err := end()
	if !timer.Stop() {
		c.lost = true
	}
	t.cancel()
	c.transaction = false
	return c.judge(err, changes)
}

// pqStmt is the interface of the driver's prepared statements.
type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	pqStmt
	conn    *conn
	commits bool
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	ctx, end := s.conn.exchange(ctx, s.commits)
	defer end()
	result, err := s.pqStmt.ExecContext(ctx, args)
	return result, s.conn.judge(err, true)
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, s.commits, func(ctx context.Context) (driver.Rows, error) { return s.pqStmt.QueryContext(ctx, args) })
}

// Close implements [driver.Stmt]. It sends nothing on a connection that is being dropped.
func (s *stmt) Close() error {
	if !s.conn.usable() {
		return driver.ErrBadConn
	}
	_, end := s.conn.exchange(context.Background(), false)
	defer end()
	return s.pqStmt.Close()
}

// rows are a statement's rows. The statement commits after the last row has been read.
type rows struct {
	driver.Rows
	conn    *conn
	commits bool
	end     func()
}

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error { return r.conn.judge(r.Rows.Next(dest), r.commits) }

// Close implements [driver.Rows].
func (r *rows) Close() error {
	defer r.end()
	return r.conn.judge(r.Rows.Close(), r.commits)
}
