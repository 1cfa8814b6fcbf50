package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/api"
	"holdfast/passkey"
)

// importProgress is after how many users an import reports its progress.
const importProgress = 1000

type usersImportCommand struct {
	Database
	linkOrigin
	AppAddress
	LinkLife time.Duration `default:"7d" placeholder:"DURATION" help:"How long the links are valid, at most 30d (default: ${default})."`
	File     string        `arg:"" name:"file|-" help:"CSV with the columns external_id and name, or JSON Lines with these members; - for standard input."`
}

func (c usersImportCommand) Run(ctx context.Context, con console) error {
	origin, err := c.origin()
	if err != nil {
		return err
	}
	page := origin + "/"
	if c.AppURL != "" {
		u, err := c.AppAddress.parse()
		if err != nil {
			return err
		}
		page = u.String()
	}
	in := con.in
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	customers, lines, err := readCustomers(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	write := newLinkWriter(con.out, lines)
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		made, existed := 0, 0
		for i, customer := range customers {
			user, link, err := service.ImportUser(ctx, byOperator, customer.Name, customer.ExternalID, c.LinkLife)
			switch {
			case errors.Is(err, passkey.ErrConflict):
				existed++
			case err != nil:
				return fmt.Errorf("%s: %s %d: %w", c.File, customer.unit, customer.place, err)
			default:
				made++
				if err := write(enrolled{customer.ExternalID, string(user.ID), api.LinkURL(origin, page, link), link.ExpiresAt.UTC().Format(time.RFC3339)}); err != nil {
					return err
				}
			}
			if n := i + 1; n%importProgress == 0 && n < len(customers) {
				fmt.Fprintf(con.err, "%d of %d\n", n, len(customers))
			}
		}
		fmt.Fprintf(con.err, "Made %d users. %d existed already, and have no new link.\n", made, existed)
		return nil
	})
}

// newCustomer is a line of the file to import.
type newCustomer struct {
	ExternalID string `json:"external_id"`
	Name       string `json:"name"`

	unit  string // "line" or "record"
	place int    // from 1
}

// enrolled is a line of the result of an import.
type enrolled struct {
	ExternalID string `json:"external_id"`
	User       string `json:"user"`
	URL        string `json:"url"`
	ExpiresAt  string `json:"expires_at"`
}

// readCustomers reads and checks a whole file, and reports whether it is JSON Lines. It requires external ids, by which a
// repeated import finds those who exist already.
func readCustomers(file io.Reader) (customers []newCustomer, lines bool, err error) {
	in := bufio.NewReader(file)
	if mark, _ := in.Peek(3); string(mark) == "\uFEFF" { // as spreadsheets write it
		_, _ = in.Discard(len(mark))
	}
	first, err := in.Peek(1)
	if err != nil {
		return nil, false, errors.New("the file is empty")
	}
	if lines = first[0] == '{'; lines {
		customers, err = readLines(in)
	} else {
		customers, err = readCSV(in)
	}
	seen := map[string]int{}
	for _, c := range customers {
		if c.ExternalID == "" {
			err = cmp.Or(err, fmt.Errorf("%s %d has no external_id", c.unit, c.place))
		} else if before, ok := seen[c.ExternalID]; ok {
			err = cmp.Or(err, fmt.Errorf("%s %d has the external_id of %s %d", c.unit, c.place, c.unit, before))
		}
		seen[c.ExternalID] = c.place
	}
	return customers, lines, err
}

func readLines(in io.Reader) (customers []newCustomer, err error) {
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	for place := 1; ; place++ {
		next := newCustomer{unit: "record", place: place}
		if err := decoder.Decode(&next); errors.Is(err, io.EOF) {
			return customers, nil
		} else if err != nil {
			return nil, fmt.Errorf("record %d: %w", place, err)
		}
		customers = append(customers, next)
	}
}

func readCSV(in io.Reader) (customers []newCustomer, err error) {
	reader := csv.NewReader(in)
	header, err := reader.Read()
	if err != nil {
		return nil, err
	}
	id, name := slices.Index(header, "external_id"), slices.Index(header, "name")
	if id < 0 || name < 0 {
		return nil, fmt.Errorf("the first line is %q, and must name the columns external_id and name", strings.Join(header, ","))
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return customers, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		customers = append(customers, newCustomer{ExternalID: record[id], Name: record[name], unit: "line", place: line})
	}
}

// newLinkWriter returns a function that writes each link at once, as JSON Lines or CSV: its user is made already.
func newLinkWriter(out io.Writer, lines bool) func(enrolled) error {
	if lines {
		encoder := json.NewEncoder(out)
		return func(e enrolled) error { return encoder.Encode(e) }
	}
	table, header := csv.NewWriter(out), []string{"external_id", "user", "url", "expires_at"}
	return func(e enrolled) error {
		if header != nil {
			_ = table.Write(header) // Error returns it
			header = nil
		}
		_ = table.Write([]string{e.ExternalID, e.User, e.URL, e.ExpiresAt})
		table.Flush()
		return table.Error()
	}
}
