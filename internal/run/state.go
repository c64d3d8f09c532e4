package run

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Schemas are the tables of everything that keeps state, in the order in which they are made.
func Schemas() []store.Schema {
	return append(append(incidentSchemas(), []store.Schema{audit.Schema(), vault.Schema(), gateway.Schema(), release.Schema(), peers.Schema(), ledger.Schema(), offer.Schema(), bundles.Schema(), lineage.Schema(), witness.Schema(), trace.Schema(), erasure.Schema(), exposure.Schema(), impact.Schema(), activity.Schema(), headsSchema(), governance.Schema()}...), budgetSchemas()...)
}

// State is an open data directory: what a gateway and the commands on a stopped one share.
type State struct {
	DB    store.DB
	Keys  *vault.Keyring
	Vault *vault.Vault
	Log   *audit.Log
	Peers *peers.Peers // the domain's identity, and those that it pinned

	Contracts *offer.Book // what it agreed on with them

	Bundles *bundles.Exchange // what it asks them to keep to, and what it keeps to of theirs

	Budgets *Budgets // of privacy loss

	Lineage *lineage.Graph // where data came from and where it went

	Freezes *freeze.List // what was brought to a halt

	Exposure *exposure.Memory // what other domains were shown

	Capabilities *ledger.Ledger // what is remembered of capabilities

	Witness   *witness.Witness // of the logs of others
	cosigners cosigners        // of the own log

	bounds atomic.Pointer[config.Terms] // in force

	restored *Restore // from a backup, the last time; nil: never
}

// Origin names a domain's log in its checkpoints; periods are added to it.
func Origin(d flow.DomainID) string { return "scrim.dev/log/" + string(d) }

// chain named a domain's journal of version 1.
func chain(d flow.DomainID) string { return "scrim.dev/journal/" + string(d) }

// OpenState opens the data directory of a configuration, and the database if it keeps the state, and makes what is missing. Only one process may have it open:
// another one gets a [store.ErrLocked]. Of c only where it lies is taken if rules are in force there: what is kept for how long, who is believed and what
// may be agreed on is said by those.
func OpenState(ctx context.Context, c *config.Config, opt store.Options) (*State, error) {
	st, err := OpenStore(ctx, c, opt)
	if err != nil {
		return nil, err
	}
	if c, err = st.RuledBy(ctx, c); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st.opened(ctx, c, opt, nil)
}

func openState(ctx context.Context, c *config.Config, opt store.Options, fault func(error)) (*State, error) {
	st, err := OpenStore(ctx, c, opt)
	if err != nil {
		return nil, err
	}
	return st.opened(ctx, c, opt, fault)
}

// opened opens all that a state of [OpenStore] leaves out, or closes it.
func (st *State) opened(ctx context.Context, c *config.Config, opt store.Options, fault func(error)) (*State, error) {
	st.cosigners.fault = fault
	err := backup.Sweep(c.Path(c.Data))
	if err == nil {
		err = st.open(ctx, c, fault)
	}
	if err == nil {
		err = st.openPeers(ctx, c, fault)
	}
	if err == nil {
		err = st.openContracts(ctx, c, fault)
	}
	if err == nil {
		err = st.openBundles(ctx, c)
	}
	if err == nil {
		err = st.openCapabilities(ctx, c)
	}
	if err == nil {
		err = st.openBudgets(ctx, c, opt, fault)
	}
	if err == nil {
		err = st.openWitness(c, fault)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close()) // the log has a writer by now
	}
	return st, nil
}

// together is how long a transaction that two flows share already waits for a third: less than an fsync takes, and each
// that comes along spares one. A lone flow does not wait.
const together = 200 * time.Microsecond

// OpenStore opens database and keys alone, for looking at a journal that may have been tampered with. All but DB and Keys is nil.
func OpenStore(ctx context.Context, c *config.Config, opt store.Options) (*State, error) {
	if err := os.MkdirAll(c.Path(c.Data), 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	if opt.Window == 0 {
		opt.Window = together
	}
	db, err := openDB(ctx, c, opt)
	if err != nil {
		return nil, err
	}
	st := &State{DB: db}
	if st.Keys, err = Keyring(ctx, c); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return st, nil
}

// openDB opens the database where configuration has it. The data directory is locked in any case.
func openDB(ctx context.Context, c *config.Config, opt store.Options) (store.DB, error) {
	if c.Store.Postgres == nil {
		db, err := store.Open(ctx, c.Path(c.Data), Schemas(), opt)
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	url, err := c.StoreURL()
	if err != nil {
		return nil, err
	}
	opt.Dir, opt.Schema = c.Path(c.Data), c.Store.Schema
	db, err := store.OpenPostgres(ctx, url, Schemas(), opt)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Keyring opens the keys of a configuration alone. It makes them where there are none.
func Keyring(ctx context.Context, c *config.Config) (*vault.Keyring, error) {
	var wrapper vault.Wrapper
	if name := c.Keys.PassphraseEnv; name != "" {
		phrase := os.Getenv(name)
		if phrase == "" {
			return nil, fmt.Errorf("environment variable %s, which holds the keyset's passphrase, is empty", name)
		}
		wrapper = vault.Passphrase(flow.NewSecret(phrase))
	}
	keys, err := vault.OpenKeyring(ctx, c.Path(c.Keys.File), wrapper)
	if err != nil {
		return nil, fmt.Errorf("opening the keyset %s: %w", c.Keys.File, err)
	}
	return keys, nil
}

// Office is who releases tables of this domain.
func (st *State) Office() *release.Office {
	return &release.Office{
		DB: st.DB, Journal: releasing{st.Log, st.Freezes}, Seal: st.Keys.AEAD("journal"), Secrets: st.Keys.AEAD("release"), Signer: st.Keys.Signer("log"), Contracts: st.contracts(),
	}
}

func (st *State) open(ctx context.Context, c *config.Config, fault func(error)) (err error) {
	anew, err := st.backed(ctx, c) // before anything is read that this may close
	if err != nil {
		return err
	}
	st.Vault, err = vault.New(st.DB, st.Keys, vault.Options{Domain: c.Domain, TaskLife: time.Duration(c.Retention.Tasks), Erased: erased, Forgot: st.forgot})
	if err != nil {
		return fmt.Errorf("opening the vault: %w", err)
	}
	st.Lineage = lineage.New(st.DB, lineage.Options{Nodes: c.Lineage.Nodes, Edges: c.Lineage.Edges})
	if err := st.cosigners.set(c); err != nil {
		return err
	}
	if st.Exposure, err = exposure.Open(ctx, st.DB, st.Vault, st.Keys, exposure.Options{}); err != nil {
		return err
	}
	st.Log, err = audit.Open(ctx, st.DB, Origin(c.Domain), st.Keys.Signer("log"), audit.Options{
		Dir: LogDir(c), Chain: chain(c.Domain), Period: audit.Period(c.Log.Period), MergeDelay: time.Duration(c.Log.MergeDelay),
		Retention: time.Duration(c.Retention.Journal), OnError: fault, OnHealth: released(fault), Every: c.Checkpoint.Every, Interval: time.Duration(c.Checkpoint.Interval), Archive: Archive(c),
		Cosign: st.cosigners.cosign, Hold: st.cosigners.healthy, Anew: anew,
	})
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	if err := st.recordRestore(ctx, c); err != nil {
		return err
	}
	st.Freezes, err = freeze.Open(ctx, freeze.Options{DB: st.DB, Journal: st.Log, Domain: c.Domain, FlowID: gateway.NewFlowID})
	if err != nil {
		return err
	}
	return st.finishErasures(ctx)
}

// released tells that releases stop, and that they go on.
func released(tell func(error)) func(error) {
	if tell == nil {
		return nil
	}
	return func(why error) {
		if why == nil {
			why = errors.New("rows reach the log again: messages are released again")
		}
		tell(why)
	}
}

// LogDir is the directory of the log's trees.
func LogDir(c *config.Config) string { return filepath.Join(c.Path(c.Data), "log") }

// Archive is the directory that keeps checkpoints by date.
func Archive(c *config.Config) string { return filepath.Join(c.Path(c.Data), "checkpoints") }

// Verify walks the whole journal and its log, against the archived checkpoints and any kept elsewhere. It works on a state of [OpenStore] too.
func (st *State) Verify(ctx context.Context, c *config.Config, elsewhere ...[]byte) (audit.Report, error) {
	notes, err := audit.ReadArchive(Archive(c))
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, st.DB, LogDir(c), Origin(c.Domain), st.LogKey(), audit.Against{Checkpoints: append(notes, elsewhere...)})
}

// LogKey is the public key of the log's checkpoints.
func (st *State) LogKey() ed25519.PublicKey {
	return st.Keys.Signer("log").Public().(ed25519.PublicKey)
}

// Close signs the journal, if it is open, and closes everything.
func (st *State) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := st.Budgets.close(ctx)
	if st.Log != nil {
		err = errors.Join(err, st.Log.Close(ctx))
	}
	return errors.Join(err, st.DB.Close())
}
