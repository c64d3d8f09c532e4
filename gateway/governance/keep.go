package governance

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

// Version is a rule set that was in force.
type Version struct {
	Version    int64         `json:"version"`
	Digest     change.Digest `json:"digest"`
	Proposal   string        `json:"proposal,omitempty"` // that it came by; "": it lay on disk when governance began
	By         []string      `json:"by,omitempty"`       // author and approvers
	Reason     string        `json:"reason,omitempty"`
	Since      time.Time     `json:"since"`
	PolicyHash string        `json:"policy_hash,omitempty"` // as events have it
	ConfigHash string        `json:"config_hash,omitempty"`
	Governed   bool          `json:"governed"`  // false: governance ended with it, and what lies on disk runs
	Row        int64         `json:"row"`       // of the journal, that says so
	Reference  flow.ID       `json:"reference"` // of that row
}

// keys are those of what is kept: who can write to the database, and has no keyset, brings nothing into force.
type keys struct {
	mac  [32]byte
	aead cipher.AEAD
}

func newKeys(seed [32]byte) (keys, error) {
	derive := func(name string) []byte {
		m := hmac.New(sha256.New, seed[:])
		m.Write([]byte(name))
		return m.Sum(nil)
	}
	block, err := aes.NewCipher(derive("scrim governance seal 1"))
	if err != nil {
		return keys{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return keys{mac: [32]byte(derive("scrim governance row 1")), aead: aead}, err
}

func (k *keys) sum(parts ...[]byte) []byte {
	m := hmac.New(sha256.New, k.mac[:])
	for _, p := range parts {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		m.Write(p)
	}
	return m.Sum(nil)
}

// open returns v of a row, if its proof is right.
func (k *keys) open(mac, body []byte, v any, name ...[]byte) error {
	if !hmac.Equal(mac, k.sum(append(name, body)...)) {
		return ErrTampered
	}
	return json.Unmarshal(body, v)
}

func versionName(n int64) []byte    { return binary.BigEndian.AppendUint64([]byte("version"), uint64(n)) }
func proposalName(id string) []byte { return append([]byte("proposal"), id...) }

func (k *keys) putVersion(tx store.Tx, v Version) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO governance_versions (version, body, mac) VALUES (?, ?, ?)", v.Version, body, k.sum(versionName(v.Version), body))
	return err
}

func (k *keys) version(tx store.Tx, n int64) (v Version, err error) {
	var body, mac []byte
	err = tx.QueryRow("SELECT body, mac FROM governance_versions WHERE version = ?", n).Scan(&body, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return v, ErrVersion
	}
	if err == nil {
		err = k.open(mac, body, &v, versionName(n))
	}
	if err == nil && v.Version != n {
		err = ErrTampered
	}
	return v, err
}

func (k *keys) putProposal(tx store.Tx, p change.Proposal) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	ended := 0
	if p.State.Ended() {
		ended = 1
	}
	_, err = tx.Exec("INSERT INTO governance_proposals (id, made, ended, body, mac) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body, mac = excluded.mac",
		p.ID, p.Made.UnixNano(), ended, body, k.sum(proposalName(p.ID), body))
	return err
}

// putEnded is putProposal of one that may have ended, with whose rules nothing is done any more.
func (k *keys) putEnded(tx store.Tx, p change.Proposal) error {
	err := k.putProposal(tx, p)
	if err == nil && p.State.Ended() {
		err = k.dropRules(tx)
	}
	return err
}

func (k *keys) proposal(tx store.Tx, id string) (p change.Proposal, err error) {
	var body, mac []byte
	err = tx.QueryRow("SELECT body, mac FROM governance_proposals WHERE id = ?", id).Scan(&body, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrProposal
	}
	if err == nil {
		err = k.open(mac, body, &p, proposalName(id))
	}
	return p, err
}

// proposals returns those that are under way, or the newest that ended, the oldest first.
func (k *keys) proposals(tx store.Tx, ended bool) (all []change.Proposal, err error) {
	query, limit := "SELECT id, body, mac FROM governance_proposals WHERE ended = ? ORDER BY made DESC, id LIMIT ?", mostShown
	flag := 0
	if ended {
		flag = 1
	}
	rows, err := tx.Query(query, flag, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var body, mac []byte
		var p change.Proposal
		if err := rows.Scan(&id, &body, &mac); err != nil {
			return nil, err
		}
		if err := k.open(mac, body, &p, proposalName(id)); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, rows.Err()
}

// seal is the form in which a rule set is kept. It is made outside of transactions: it takes long.
func (k *keys) seal(rs change.RuleSet) ([]byte, error) {
	plain, err := rs.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	d := sha256.Sum256(plain)
	return k.aead.Seal(nil, nil, b.Bytes(), d[:]), nil
}

// mostKept bounds a rule set with its frames.
const mostKept = change.MaxBytes + change.MaxFiles*2048

func (k *keys) unseal(d change.Digest, sealed []byte) (change.RuleSet, error) {
	packed, err := k.aead.Open(nil, nil, sealed, d[:])
	if err != nil {
		return change.RuleSet{}, ErrTampered
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return change.RuleSet{}, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, mostKept))
	if err != nil {
		return change.RuleSet{}, err
	}
	if sha256.Sum256(plain) != d {
		return change.RuleSet{}, ErrTampered
	}
	return change.ParseRuleSet(plain)
}

func putRules(tx store.Tx, d change.Digest, sealed []byte) error {
	_, err := tx.Exec("INSERT INTO governance_rules (digest, content) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", d[:], sealed)
	return err
}

func rulesOf(tx store.Tx, d change.Digest) (sealed []byte, err error) {
	err = tx.QueryRow("SELECT content FROM governance_rules WHERE digest = ?", d[:]).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: %w", ErrTampered, ErrGone)
	}
	return sealed, err
}

// dropRules forgets the rule sets that neither a version nor a proposal under way has: whoever may propose and withdraw would fill the store with them.
// Where a row does not prove itself, nothing is forgotten: who writes to the database shall not choose what, nor keep a proposal from being ended.
func (k *keys) dropRules(tx store.Tx) error {
	needed, err := k.neededRules(tx)
	if errors.Is(err, ErrTampered) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := column(tx, "SELECT digest FROM governance_rules")
	if err != nil {
		return err
	}
	for _, d := range kept {
		if len(d) == len(change.Digest{}) && needed[change.Digest(d)] {
			continue
		}
		if _, err := tx.Exec("DELETE FROM governance_rules WHERE digest = ?", d); err != nil {
			return err
		}
	}
	return nil
}

func (k *keys) neededRules(tx store.Tx) (map[change.Digest]bool, error) {
	newest, err := inForce(tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query("SELECT version, body, mac FROM governance_versions")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	needed, n := map[change.Digest]bool{}, int64(0)
	for ; rows.Next(); n++ {
		var version int64
		var body, mac []byte
		var v Version
		if err := rows.Scan(&version, &body, &mac); err != nil {
			return nil, err
		}
		if err := k.open(mac, body, &v, versionName(version)); err != nil {
			return nil, err
		}
		needed[v.Digest] = true
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if n != newest {
		return nil, ErrTampered
	}
	open, err := k.proposals(tx, false)
	for _, p := range open {
		needed[p.Digest] = true
	}
	return needed, err
}

func column(tx store.Tx, query string) (all [][]byte, err error) {
	rows, err := tx.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

// inForce returns the number of the version in force, 0 if none ever was.
func inForce(tx store.Tx) (n int64, err error) {
	err = tx.QueryRow("SELECT version FROM governance_state WHERE id = 1").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// InForce returns the version in force and its rules, as the store has them; ok is false if none ever was. What was changed by one who has no keyset
// is an [ErrTampered]. Seed is that of the keyring under the name of this package's schema.
func InForce(ctx context.Context, db store.DB, seed [32]byte) (v Version, rs change.RuleSet, ok bool, err error) {
	k, err := newKeys(seed)
	if err != nil {
		return Version{}, rs, false, err
	}
	var sealed []byte
	err = db.View(ctx, func(tx store.Tx) error {
		n, err := inForce(tx)
		if err != nil || n == 0 {
			var any int64
			if err == nil { // a row that was deleted is no beginning
				err = tx.QueryRow("SELECT count(*) FROM governance_versions").Scan(&any)
			}
			if err == nil && any != 0 {
				err = ErrTampered
			}
			return err
		}
		var newest int64
		if err := tx.QueryRow("SELECT max(version) FROM governance_versions").Scan(&newest); err != nil {
			return err
		}
		if newest != n {
			return ErrTampered
		}
		if v, err = k.version(tx, n); err == nil {
			sealed, err = rulesOf(tx, v.Digest)
		}
		ok = err == nil
		return err
	})
	if err == nil && ok {
		rs, err = k.unseal(v.Digest, sealed)
	}
	if err != nil {
		return Version{}, change.RuleSet{}, false, fmt.Errorf("reading the rules in force: %w", err)
	}
	return v, rs, ok, nil
}

// Begun reports whether anything is kept of rules.
func Begun(ctx context.Context, db store.DB) (bool, error) {
	return some(ctx, db, "SELECT (SELECT count(*) FROM governance_state) + (SELECT count(*) FROM governance_versions)")
}

// Waiting reports whether proposals are under way.
func Waiting(ctx context.Context, db store.DB) (bool, error) {
	return some(ctx, db, "SELECT count(*) FROM governance_proposals WHERE ended = 0")
}

func some(ctx context.Context, db store.DB, query string) (bool, error) {
	var n int64
	err := db.View(ctx, func(tx store.Tx) error { return tx.QueryRow(query).Scan(&n) })
	return n > 0, err
}
