//! The store itself: opening a data directory, commits one at a time, reads beside them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tollgate_entity::UsagePlan;

use crate::database::{Database, Fault, Schema};
use crate::directory::{Directory, MASTER_KEY};
use crate::feed::{Adoption, Exchange};
use crate::reader::Readers;
use crate::rotation;
use crate::vault::{Digester, MasterKey, Vault};
use crate::{Audit, Document, Feed, Ledger, OpenError, Reader, StoreError, Transaction};

/// `config.db`: "TGcf" as an SQLite application id.
pub(crate) const CONFIG: Schema = Schema {
    application_id: 0x5447_6366,
    steps: &[
        include_str!("schema/config_1.sql"),
        include_str!("schema/config_2.sql"),
    ],
};
/// Connections that read `config.db` at the same time; further reads wait for one.
const READERS_MAX: usize = 4;

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The master key, when it is kept elsewhere; otherwise `master.key` in the directory, made at
    /// the first start.
    pub master_key: Option<MasterKey>,
    /// Whether values of new API keys are kept (sealed), so that they can be shown again.
    pub keep_key_values: bool,
    /// How long a commit waits for the data plane to adopt it.
    pub adoption_wait: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            master_key: None,
            keep_key_values: true,
            adoption_wait: Duration::from_secs(5),
        }
    }
}

/// What becomes of a directory with usage plans whose ledger is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfLost {
    Refuse,
    Begin,
}

/// The open data directory. Clones share it; it is given up when the last one is dropped.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// Fields are dropped in this order: the writer closes its file last, then the directory is let go.
struct Shared {
    readers: Readers,
    writer: Mutex<Database>,
    ledger: Ledger,
    vault: Vault,
    keep_key_values: bool,
    adoption_wait: Duration,
    exchange: Arc<Exchange>,
    _directory: Arc<Directory>,
}

impl Store {
    /// Opens a data directory, making what is missing and holding it against other processes.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Store, OpenError> {
        Store::open_held(Arc::new(Directory::hold(path)?), options, IfLost::Refuse)
    }

    /// Opens a directory that is held already.
    pub(crate) fn open_held(
        directory: Arc<Directory>,
        options: StoreOptions,
        if_lost: IfLost,
    ) -> Result<Store, OpenError> {
        directory.refuse_unfinished()?;
        let (config, existed) = directory.database("config.db")?;
        let master_key = match options.master_key {
            Some(key) => {
                if directory.file(MASTER_KEY).exists() {
                    tracing::warn!(path = %directory.file(MASTER_KEY).display(), "TOLLGATE_MASTER_KEY is used, and a master.key lies in the data directory all the same: delete it if it is the same key");
                }
                key
            }
            None if existed => rotation::current_key(&directory)?,
            None => directory.master_key(true)?,
        };
        let writer = Database::open(&config, &CONFIG)?;
        let vault = open_vault(&writer, &master_key, &config)?;
        let must_exist = if_lost == IfLost::Refuse && has_plans(&writer, &config)?;
        let ledger = Ledger::open(directory.clone(), must_exist)?;
        directory.sync().map_err(|source| OpenError::NotWritable {
            path: directory.path().into(),
            source,
        })?;
        Ok(Store(Arc::new(Shared {
            readers: Readers::new(config, READERS_MAX),
            writer: Mutex::new(writer),
            ledger,
            vault,
            keep_key_values: options.keep_key_values,
            adoption_wait: options.adoption_wait,
            exchange: Arc::default(),
            _directory: directory,
        })))
    }

    /// Makes one change: `change` sees the newest state and nobody else writes meanwhile. When it
    /// fails, nothing has happened. Otherwise the change is durable and the data plane decides by it
    /// when this returns. It is carried out even if the future is dropped. A change must not commit
    /// again from inside: it would wait for itself.
    pub async fn commit<T, E>(
        &self,
        audit: Audit,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let shared = self.0.clone();
        let applied = off_the_runtime(move || shared.apply(audit, change)).await;
        let (value, adoption) = applied.ok_or(StoreError::Stopping)??;
        adoption.wait(self.0.adoption_wait).await;
        Ok(value)
    }

    /// `commit` for a thread without a runtime.
    pub fn commit_blocking<T, E: From<StoreError>>(
        &self,
        audit: Audit,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, adoption) = self.0.apply(audit, change)?;
        adoption.wait_blocking(self.0.adoption_wait);
        Ok(value)
    }

    /// Looks at the newest state; everything `look` reads is of one moment.
    pub async fn read<T, E>(
        &self,
        look: impl FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let shared = self.0.clone();
        off_the_runtime(move || shared.look(look))
            .await
            .ok_or(StoreError::Stopping)?
    }

    /// `read` for a thread without a runtime.
    pub fn read_blocking<T, E: From<StoreError>>(
        &self,
        look: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.look(look)
    }

    /// The feed of changes from here on, for the data plane. From now on commits wait for it. There
    /// is one: an earlier feed falls silent.
    pub fn feed(&self) -> Feed {
        self.0.exchange.feed()
    }

    /// What callers used.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Whether every page of both files is as it must be.
    pub fn check_integrity(&self) -> Result<(), StoreError> {
        let database = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        database.check_integrity()?;
        self.0.ledger.check_integrity()?;
        Ok(())
    }

    /// Makes the digests that keys are looked up by.
    pub fn digester(&self) -> Digester {
        self.0.vault.digester()
    }
}

impl Shared {
    fn apply<T, E: From<StoreError>>(
        &self,
        audit: Audit,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Adoption), E> {
        // A panic in an earlier change rolled it back, so the connection is as good as before.
        let database = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let open = database.begin().map_err(StoreError::from)?;
        let reader = Reader {
            database: &database,
            vault: &self.vault,
        };
        let mut transaction = Transaction::new(reader, audit, self.keep_key_values);
        let value = change(&mut transaction)?;
        let (revision, changes) = transaction.finish()?;
        open.commit().map_err(StoreError::from)?;
        // Still alone with the database, so that the feed has the order of the commits.
        Ok((value, self.exchange.publish(revision, changes)))
    }

    fn look<T, E: From<StoreError>>(
        &self,
        look: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let found = self.readers.with(|database| {
            let open = database.look()?;
            let value = look(&Reader {
                database,
                vault: &self.vault,
            });
            open.commit()?;
            Ok::<_, Fault>(value)
        });
        found.map_err(StoreError::from)?
    }
}

/// Runs blocking work on the runtime's threads for that; a panic in it goes on in the caller.
/// None when the runtime is stopping and did not run it.
pub(crate) async fn off_the_runtime<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

/// Whether there is a plan, so that something may have been counted.
pub(crate) fn has_plans(database: &Database, path: &Path) -> Result<bool, OpenError> {
    let sql = "SELECT 1 FROM document WHERE kind = ?1";
    let found = database.exists(sql, (<UsagePlan as Document>::KIND,));
    found.map_err(|fault| crate::database::refused(path, fault))
}

/// The vault of a master key. The first one leaves its mark in the file; any other is refused from then on.
pub(crate) fn open_vault(
    database: &Database,
    master_key: &MasterKey,
    path: &Path,
) -> Result<Vault, OpenError> {
    let refused = |fault| crate::database::refused(path, fault);
    let vault = Vault::new(master_key);
    database
        .run(
            "INSERT INTO meta (name, value) VALUES ('master_key_check', ?1) ON CONFLICT DO NOTHING",
            (vault.check(),),
        )
        .map_err(refused)?;
    let matches = database
        .exists(
            "SELECT 1 FROM meta WHERE name = 'master_key_check' AND value = ?1",
            (vault.check(),),
        )
        .map_err(refused)?;
    let wrong = || OpenError::WrongMasterKey { path: path.into() };
    if !matches {
        return Err(wrong());
    }
    let pepper = database
        .one("SELECT value FROM meta WHERE name = 'pepper'", (), |row| {
            Ok(row.blob(0)?.to_vec())
        })
        .map_err(refused)?;
    match pepper {
        Some(sealed) => vault.with_pepper(&sealed).map_err(|_| wrong()),
        None => Ok(vault),
    }
}
