//! Follows the store: every committed change becomes part of a new snapshot, and only when no request
//! can be decided by an older one is the change called adopted (and its caller answered).
//!
//! The barrier needs no word with the request threads. A decision holds the snapshot it loaded and
//! never waits while it does; once the new snapshot is in place nobody can take up the old one, so
//! when its last holder is gone, every later decision sees the change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tollgate_entity::{
    BasePathMapping, ClientCertificate, DeploymentContent, DomainName, Extension, RestApi, Stage,
    UsagePlan,
};
use tollgate_store::{Change, Document, Feed, Reader, Store, StoreError};

use crate::book::Adoption;
use crate::deployed::Deployed;
use crate::domain::DomainRow;
use crate::key_index::{KeyId, PlanIndex};
use crate::keys_of_nouns::Keys;
use crate::net::identity::Shown;
use crate::snapshot::Snapshot;
use crate::time::Time;
use crate::usage::WriterHandle;
use crate::working::{ApiRows, KeyRow, PlanIds, Working};

/// How long a failed look at the store is left alone.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Without a change for this long, it is looked whether certificates end soon.
const EXPIRY_LOOK: Duration = Duration::from_secs(24 * 3600);
/// How often the last holders of an old snapshot are counted.
const RETIRE_POLL: Duration = Duration::from_micros(50);
/// How far ahead an edited rate is dated: longer than it takes to tell the rate table.
const RATES_AHEAD: Duration = Duration::from_millis(5);

/// Deployments in use, compiled once and shared by their stages.
type Compiled = HashMap<String, Weak<Deployed>>;

pub struct Builder {
    store: Store,
    feed: Feed,
    compiled: Compiled,
    keys: Keys,
    adopter: Adopter,
}

/// Makes rows the truth that requests are decided by.
pub struct Adopter {
    working: Working,
    current: Arc<ArcSwap<Snapshot>>,
    writer: WriterHandle,
}

/// What changed, by noun; deployments and resources are not here because nobody sees them before a
/// stage points at them.
#[derive(Default)]
struct Touched {
    apis: BTreeSet<String>,
    plans: BTreeSet<String>,
    keys: BTreeSet<String>,
    extensions: BTreeSet<(String, String)>,
    /// Any domain name or base path mapping.
    domains: bool,
    client_certificates: BTreeSet<String>,
}

impl Touched {
    fn note(&mut self, change: Change) {
        match change {
            Change::RestApi(id) | Change::Stage { api: id, .. } => drop(self.apis.insert(id)),
            Change::UsagePlan(id) => drop(self.plans.insert(id)),
            Change::ApiKey(id) | Change::PlanKey { key: id, .. } => drop(self.keys.insert(id)),
            Change::Extension { plan, key } => drop(self.extensions.insert((plan, key))),
            Change::Other { kind, id, .. } => match kind {
                DomainName::KIND | BasePathMapping::KIND => self.domains = true,
                ClientCertificate::KIND => drop(self.client_certificates.insert(id)),
                _ => {}
            },
            _ => {}
        }
    }
}

/// The rows behind [`Touched`], read at one moment.
#[derive(Default)]
pub struct Rows {
    pub apis: Vec<(String, Option<ApiRows>)>,
    pub plans: Vec<(String, Option<UsagePlan>)>,
    pub keys: Vec<KeyRow>,
    pub keys_gone: HashSet<KeyId>,
    pub extensions: Vec<(String, String, Option<Extension>)>,
    /// All of them, if any changed.
    pub domains: Option<Vec<DomainRow>>,
    pub client_certificates: Vec<(String, Option<Shown>)>,
}

impl Builder {
    /// Loads everything the store has and puts the first snapshot in place.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(
        store: Store,
        keys: Keys,
        mut adopter: Adopter,
    ) -> Result<Builder, StoreError> {
        let feed = store.feed();
        let own = keys.clone();
        let (rows, compiled) = store.read(move |reader| read_all(reader, &own)).await?;
        keys.adopt(&rows);
        adopter.start(rows).await;
        Ok(Builder {
            store,
            feed,
            compiled,
            keys,
            adopter,
        })
    }

    /// Follows the store; ends only when it is dropped.
    pub async fn follow(mut self, time: &Time) {
        loop {
            let changes = tokio::select! {
                changes = self.feed.next() => changes,
                () = tokio::time::sleep(EXPIRY_LOOK) => {
                    self.keys.warn_of_expiry();
                    continue;
                }
            };
            let revision = self.feed.revision();
            let mut touched = Touched::default();
            changes.into_iter().for_each(|change| touched.note(change));
            let rows = self.read(Arc::new(touched)).await;
            self.keys.adopt(&rows);
            self.adopter.adopt(rows, time).await;
            self.feed.adopted(revision);
        }
    }

    /// Reads what changed; a store that cannot be read is asked again, for nothing may be left out.
    async fn read(&mut self, touched: Arc<Touched>) -> Rows {
        loop {
            let wanted = Arc::clone(&touched);
            let compiled = std::mem::take(&mut self.compiled);
            let keys = self.keys.clone();
            match self
                .store
                .read(move |reader| read_touched(reader, &wanted, compiled, &keys))
                .await
            {
                Ok((rows, compiled)) => {
                    self.compiled = compiled;
                    return rows;
                }
                Err(error) => {
                    tracing::error!(%error, "a change cannot be read from the store; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }
}

impl Adopter {
    pub fn new(working: Working, current: Arc<ArcSwap<Snapshot>>, writer: WriterHandle) -> Adopter {
        Adopter {
            working,
            current,
            writer,
        }
    }

    /// Puts the first snapshot in place.
    pub async fn start(&mut self, rows: Rows) {
        let adoption = take_in(&mut self.working, rows);
        self.put_in_place(adoption).await;
    }

    /// Takes a change in. When this returns, every decision is made by it.
    pub async fn adopt(&mut self, rows: Rows, time: &Time) {
        self.working
            .begin_change(time.now().ticks.plus(RATES_AHEAD));
        let adoption = take_in(&mut self.working, rows);
        self.put_in_place(adoption).await;
        self.wait_for_rates(time).await;
    }

    /// The writer must know a counter before a request can name it. But of a plan's new terms it hears
    /// only when every request decides by them: an account that is opened earlier would miss the calls
    /// that older snapshots still let through without a unit.
    ///
    /// What the writer is told it takes in order, so only new terms are waited for: a disk that stalls
    /// the writer delays neither a key's disabling nor a deployment.
    async fn put_in_place(&mut self, adoption: Adoption) {
        let counters = std::mem::take(&mut self.working.new_counters);
        if !counters.is_empty() {
            let adoption = Adoption {
                counters,
                ..Adoption::default()
            };
            drop(self.writer.adopt(adoption));
        }
        self.replace().await;
        if !adoption.plans.is_empty() || !adoption.extensions.is_empty() {
            // At a stop the writer may be gone; then nobody is admitted by any terms.
            let _ = self.writer.adopt(adoption).await;
        }
    }

    /// Puts the newest snapshot in place and waits until no decision holds an older one.
    async fn replace(&self) {
        let old = self.current.swap(Arc::new(self.working.snapshot()));
        while Arc::strong_count(&old) > 1 {
            tokio::time::sleep(RETIRE_POLL).await;
        }
    }

    /// A decision is held to the rates of its own moment; waits until all are later than the edit.
    async fn wait_for_rates(&self, time: &Time) {
        let Some(at) = self.working.rates_in_force_at() else {
            return;
        };
        while time.now().ticks < at {
            tokio::time::sleep(RATES_AHEAD).await;
        }
        self.replace().await;
    }
}

/// Takes rows into the working copy; what remains is what the writer has to know.
fn take_in(working: &mut Working, rows: Rows) -> Adoption {
    let mut adoption = Adoption::default();
    for (id, shown) in rows.client_certificates {
        working.set_client_certificate(id, shown);
    }
    for (id, api) in rows.apis {
        working.set_api(&id, api);
    }
    for (id, plan) in rows.plans {
        let index = working.set_plan(&id, plan.as_ref());
        let quota = plan.and_then(|plan| plan.quota);
        adoption.plans.push((index, id, quota));
    }
    working.set_keys(rows.keys, &rows.keys_gone);
    if let Some(domains) = rows.domains {
        working.set_domains(domains);
    }
    for (plan, key, extension) in rows.extensions {
        let index: PlanIndex = working.plan_index(&plan);
        if let Some(key) = KeyId::new(&key) {
            adoption.extensions.push((index, key, extension));
        }
    }
    adoption
}

fn read_all(reader: &Reader<'_>, keys: &Keys) -> Result<(Rows, Compiled), StoreError> {
    let mut rows = Rows::default();
    let mut compiled = Compiled::new();
    for api in reader.list::<RestApi>("")? {
        let id = api.id.clone();
        rows.apis
            .push((id, Some(api_rows(reader, api, &mut compiled)?)));
    }
    for plan in reader.list::<UsagePlan>("")? {
        rows.plans.push((plan.id.clone(), Some(plan)));
    }
    // Nothing is allocated for each key: what another thread frees in small pieces stays resident.
    let mut names: HashSet<Arc<str>> = HashSet::new();
    let mut plans_of: HashMap<KeyId, PlanIds> = HashMap::new();
    reader.for_each_plan_key(|plan, key| {
        let Some(key) = KeyId::new(key) else { return };
        let name = names.get(plan).cloned().unwrap_or_else(|| plan.into());
        names.insert(Arc::clone(&name));
        plans_of.entry(key).or_default().push(name);
    })?;
    reader.for_each_key(|row| {
        if let Some(id) = known(&row.id) {
            let plan_ids = plans_of.remove(&id).unwrap_or_default();
            rows.keys.push(KeyRow {
                digest: row.digest,
                id,
                enabled: row.enabled,
                plan_ids,
            });
        }
    })?;
    reader.for_each_extension(|extension| {
        let (plan, key) = (extension.plan_id.clone(), extension.key_id.clone());
        rows.extensions.push((plan, key, Some(extension)));
    })?;
    rows.domains = Some(domain_rows(reader, keys)?);
    for certificate in reader.list::<ClientCertificate>("")? {
        let shown = keys.shown(reader, &certificate);
        let id = certificate.client_certificate_id;
        rows.client_certificates.push((id, Some(shown)));
    }
    Ok((rows, compiled))
}

fn read_touched(
    reader: &Reader<'_>,
    touched: &Touched,
    mut compiled: Compiled,
    keys: &Keys,
) -> Result<(Rows, Compiled), StoreError> {
    let mut rows = Rows::default();
    for id in &touched.client_certificates {
        let certificate = reader.get::<ClientCertificate>("", id)?;
        let shown = certificate.map(|certificate| keys.shown(reader, &certificate));
        rows.client_certificates.push((id.clone(), shown));
    }
    for id in &touched.apis {
        let api = match reader.get::<RestApi>("", id)? {
            Some(api) => Some(api_rows(reader, api, &mut compiled)?),
            None => None,
        };
        rows.apis.push((id.clone(), api));
    }
    for id in &touched.plans {
        rows.plans
            .push((id.clone(), reader.get::<UsagePlan>("", id)?));
    }
    for key in &touched.keys {
        let Some(id) = known(key) else { continue };
        match reader.key_row(key)? {
            Some(row) => {
                let plan_ids = reader.key_plans(key)?.into_iter().map(Into::into);
                rows.keys.push(KeyRow {
                    digest: row.digest,
                    id,
                    enabled: row.enabled,
                    plan_ids: plan_ids.collect(),
                });
            }
            None => drop(rows.keys_gone.insert(id)),
        }
    }
    for (plan, key) in &touched.extensions {
        rows.extensions
            .push((plan.clone(), key.clone(), reader.extension(plan, key)?));
    }
    if touched.domains {
        rows.domains = Some(domain_rows(reader, keys)?);
    }
    compiled.retain(|_, deployed| deployed.strong_count() > 0);
    Ok((rows, compiled))
}

/// All domain names: there are few, and they change seldom.
fn domain_rows(reader: &Reader<'_>, keys: &Keys) -> Result<Vec<DomainRow>, StoreError> {
    let mut rows = Vec::new();
    for domain in reader.list::<DomainName>("")? {
        rows.push(DomainRow {
            mappings: reader.list(&domain.domain_name)?,
            uploaded: keys.uploaded(reader, &domain),
            domain,
        });
    }
    Ok(rows)
}

/// An API's stages, each with its deployment; one that was never compiled is compiled here, off the
/// request threads.
fn api_rows(
    reader: &Reader<'_>,
    api: RestApi,
    compiled: &mut Compiled,
) -> Result<ApiRows, StoreError> {
    let mut stages = Vec::new();
    for stage in reader.list::<Stage>(&api.id)? {
        let known = compiled.get(&stage.deployment_id).and_then(Weak::upgrade);
        let deployed = match known {
            Some(deployed) => deployed,
            None => {
                let id = &stage.deployment_id;
                let content = reader.get::<DeploymentContent>(id, id)?.unwrap_or_else(|| {
                    tracing::error!(deployment_id = %id, "a stage points at a deployment without content: nothing can be called there");
                    DeploymentContent::default()
                });
                let deployed = Arc::new(Deployed::compile(&content));
                compiled.insert(stage.deployment_id.clone(), Arc::downgrade(&deployed));
                deployed
            }
        };
        stages.push((stage, deployed));
    }
    Ok((api, stages))
}

fn known(key_id: &str) -> Option<KeyId> {
    let id = KeyId::new(key_id);
    if id.is_none() {
        tracing::error!(
            key_id,
            "an API key's id has not the form that this version makes; the key is ignored"
        );
    }
    id
}
