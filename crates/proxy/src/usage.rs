//! The ledger's one writer: a thread that turns what counters need into rows on disk, and publishes
//! units only after their row is durable. All it decides is in `limiter::reserve`; here is the IO.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tollgate_limiter::clock::WallGuard;
use tollgate_limiter::period::Day;
use tollgate_limiter::reserve::{self, Batch, Failure, Load, Past, Reserve};
use tollgate_limiter::{Counters, NoUnit, Slot};
use tollgate_store::{
    AccountRow, Alive, DayUsage, FlushRequest, FlushRequests, LastStamp, LedgerBatch, LedgerError,
    LedgerWriter,
};

use crate::book::{Adoption, Book};
use crate::time::{Settled, Time};
use crate::waiting::Waiting;

/// How often the writer looks at the clock when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// How often the process says that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// How long counters that run low are gathered into one write; a waiting call is not made to wait for it.
const GATHER: Duration = Duration::from_millis(2);
/// How long a stop waits for room on a full disk.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Counters settled at a time after a crash, so that calls do not wait for all of them.
const SETTLED_AT_ONCE: usize = 128;

/// What the writer needs of a ledger. Its futures may block: they run on the writer's own thread.
pub trait Ledger: Send {
    /// Writes all rows or none; they are durable when it says so.
    fn write(
        &mut self,
        batch: &LedgerBatch,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
    fn account(
        &mut self,
        plan_id: &str,
        key_id: &str,
    ) -> impl Future<Output = Result<Option<AccountRow>, LedgerError>> + Send;
    fn used_between(
        &mut self,
        plan_id: &str,
        key_id: &str,
        days: Range<i32>,
    ) -> impl Future<Output = Result<Vec<DayUsage>, LedgerError>> + Send;
    /// The plans and keys whose reservations a process before did not settle.
    fn unsettled(
        &mut self,
        day: i32,
    ) -> impl Future<Output = Result<Vec<(String, String)>, LedgerError>> + Send;
    fn last_stamp(&self) -> &LastStamp;
    fn say_alive(&self, alive: &Alive) -> std::io::Result<()>;
    fn flush_requests(&self) -> FlushRequests;
}

impl Ledger for LedgerWriter {
    async fn write(&mut self, batch: &LedgerBatch) -> Result<(), LedgerError> {
        LedgerWriter::write(self, batch)
    }

    async fn account(
        &mut self,
        plan_id: &str,
        key_id: &str,
    ) -> Result<Option<AccountRow>, LedgerError> {
        LedgerWriter::account(self, plan_id, key_id)
    }

    async fn used_between(
        &mut self,
        plan_id: &str,
        key_id: &str,
        days: Range<i32>,
    ) -> Result<Vec<DayUsage>, LedgerError> {
        LedgerWriter::used_between(self, plan_id, key_id, days)
    }

    async fn unsettled(&mut self, day: i32) -> Result<Vec<(String, String)>, LedgerError> {
        let mut names = Vec::new();
        let see = |plan: &str, key: &str| names.push((plan.to_owned(), key.to_owned()));
        LedgerWriter::unsettled(self, day, see)?;
        Ok(names)
    }

    fn last_stamp(&self) -> &LastStamp {
        LedgerWriter::last_stamp(self)
    }

    fn say_alive(&self, alive: &Alive) -> std::io::Result<()> {
        LedgerWriter::say_alive(self, alive)
    }

    fn flush_requests(&self) -> FlushRequests {
        LedgerWriter::flush_requests(self)
    }
}

/// What wakes the writer. The queue is bounded by what it is about: a counter is in it once for each of
/// its (bounded) waiters.
enum Event {
    Need(Slot),
    /// Counters run low since the writer looked last.
    Low,
    Adopt(Adoption, oneshot::Sender<()>),
    Stop,
}

/// What the writer takes in when it is awake: waking it for each count would cost more than the count. A
/// counter is in this queue at most once as used, and once as low for each publication.
enum Noted {
    Low(Slot),
    Used(Slot),
}

/// Figures for metrics and health.
#[derive(Default)]
pub struct LedgerFigures {
    pub failed: AtomicBool,
    /// The last batch met a full disk.
    pub full: AtomicBool,
    pub batches: AtomicU64,
    pub rows: AtomicU64,
    /// Time spent writing, in microseconds.
    pub write_us: AtomicU64,
    /// Counters that memory is kept for.
    pub active: AtomicU64,
}

/// The way to the writer, for requests and the builder.
#[derive(Clone)]
pub struct WriterHandle {
    events: mpsc::UnboundedSender<Event>,
    noted: mpsc::UnboundedSender<Noted>,
    /// Whether [`Event::Low`] is on its way.
    gathers: Arc<AtomicBool>,
    figures: Arc<LedgerFigures>,
}

// A send fails only when the writer is gone; requests then meet unreserved counters and are refused.
impl WriterHandle {
    /// A call waits for units of this counter.
    pub fn need(&self, slot: Slot) {
        let _ = self.events.send(Event::Need(slot));
    }

    /// A counter's reserved units run low.
    pub fn low(&self, slot: Slot) {
        let _ = self.noted.send(Noted::Low(slot));
        // Noted before it is told: either the writer has yet to look, or it is told anew.
        if !self.gathers.swap(true, Ordering::AcqRel) {
            let _ = self.events.send(Event::Low);
        }
    }

    /// A counter has calls that are not written yet.
    pub fn used(&self, slot: Slot) {
        let _ = self.noted.send(Noted::Used(slot));
    }

    /// Tells a change; the answer comes when the writer works by it.
    pub fn adopt(&self, adoption: Adoption) -> oneshot::Receiver<()> {
        let (done, adopted) = oneshot::channel();
        let _ = self.events.send(Event::Adopt(adoption, done));
        adopted
    }

    /// Asks the writer to give back what is unspent, write everything and end.
    pub fn stop(&self) {
        let _ = self.events.send(Event::Stop);
    }

    /// Whether the ledger's disk failed, so that nothing more is reserved.
    pub fn has_failed(&self) -> bool {
        self.figures.failed.load(Ordering::Acquire)
    }

    pub fn figures(&self) -> &LedgerFigures {
        &self.figures
    }
}

/// The thread's own state.
pub struct Writer<L> {
    ledger: L,
    flushes: FlushRequests,
    reserve: Reserve,
    counters: Arc<Counters>,
    waiting: Arc<Waiting>,
    time: Arc<Time>,
    guard: WallGuard,
    book: Book,
    events: mpsc::UnboundedReceiver<Event>,
    noted: mpsc::UnboundedReceiver<Noted>,
    gathers: Arc<AtomicBool>,
    figures: Arc<LedgerFigures>,
    /// Flushes whose rows are not durable yet.
    asked: Vec<FlushRequest>,
    /// Counters that calls wait for since the last round.
    needed: Vec<Slot>,
    /// Counters of which a crash left reservations that no row accounts for; none before the first adoption.
    unsettled: Option<Vec<Slot>>,
    alive_at: Option<Instant>,
    stamp_failed: bool,
    started: Instant,
}

/// What the events taken in mean for the loop.
#[derive(Default)]
struct Taken {
    /// Somebody waits: write now instead of gathering more.
    is_urgent: bool,
    /// Counters run low: gather for a moment, then write.
    gathers: bool,
    stops: bool,
    flushes: Vec<FlushRequest>,
}

/// The writer and the way to it. Run the writer on a thread of its own. `last_day` is the newest day
/// that a process before may have admitted on. An error is that of the stamp, which must no longer tell
/// of a clean stop before the first call is let through.
pub fn writer<L: Ledger>(
    ledger: L,
    last_day: Day,
    counters: Arc<Counters>,
    waiting: Arc<Waiting>,
    time: Arc<Time>,
) -> std::io::Result<(Writer<L>, WriterHandle)> {
    ledger.say_alive(&time.alive(None))?;
    let (sender, events) = mpsc::unbounded_channel();
    let (noter, noted) = mpsc::unbounded_channel();
    let gathers = Arc::new(AtomicBool::new(false));
    let figures = Arc::new(LedgerFigures::default());
    let handle = WriterHandle {
        events: sender,
        noted: noter,
        gathers: Arc::clone(&gathers),
        figures: Arc::clone(&figures),
    };
    let writer = Writer {
        flushes: ledger.flush_requests(),
        ledger,
        reserve: Reserve::new(last_day),
        counters,
        waiting,
        guard: time.guard(),
        time,
        book: Book::default(),
        events,
        noted,
        gathers,
        figures,
        asked: Vec::new(),
        needed: Vec::new(),
        unsettled: None,
        alive_at: Some(Instant::now()),
        stamp_failed: false,
        started: Instant::now(),
    };
    Ok((writer, handle))
}

impl<L: Ledger> Writer<L> {
    /// Serves until told to stop, then gives back, writes, and ends.
    pub async fn run(mut self) {
        loop {
            let taken = self.wait().await;
            self.time.sample(&mut self.guard);
            if !taken.flushes.is_empty() {
                self.reserve.flush();
                self.asked.extend(taken.flushes);
            }
            self.settle();
            match taken.stops {
                true => return self.close().await,
                false => self.rounds().await,
            }
            self.say_alive();
        }
    }

    /// Waits for something to do and takes in all there is.
    async fn wait(&mut self) -> Taken {
        let mut taken = Taken::default();
        let is_settling = self
            .unsettled
            .as_ref()
            .is_some_and(|slots| !slots.is_empty());
        let due_ms = if is_settling {
            Some(0)
        } else {
            self.reserve.due_in_ms(self.now())
        };
        let due = due_ms.map_or(TICK, Duration::from_millis).min(TICK);
        // Biased, so that the same events lead to the same rows; the rest is looked at below in any case.
        tokio::select! {
            biased;
            event = self.events.recv() => self.take(event, &mut taken).await,
            flush = self.flushes.next() => taken.flushes.push(flush),
            () = tokio::time::sleep(due) => taken.is_urgent = true,
        }
        let until = tokio::time::Instant::now() + GATHER;
        while taken.gathers && !taken.is_urgent && !taken.stops && taken.flushes.is_empty() {
            match tokio::time::timeout_at(until, self.events.recv()).await {
                Ok(event) => self.take(event, &mut taken).await,
                Err(_) => break,
            }
        }
        taken.flushes.extend(self.flushes.try_next());
        // Whatever was counted before a flush was asked for is in the queue by now.
        while let Ok(event) = self.events.try_recv() {
            self.take(Some(event), &mut taken).await;
        }
        self.gathers.swap(false, Ordering::AcqRel); // whoever noted and did not tell is seen below
        self.take_noted();
        taken
    }

    fn take_noted(&mut self) {
        while let Ok(noted) = self.noted.try_recv() {
            match noted {
                Noted::Low(slot) => self.reserve.need(slot),
                Noted::Used(slot) => self.reserve.dirty(slot),
            }
        }
    }

    async fn take(&mut self, event: Option<Event>, taken: &mut Taken) {
        match event {
            Some(Event::Need(slot)) => {
                taken.is_urgent = true;
                self.needed.push(slot);
                self.reserve.need(slot);
            }
            Some(Event::Low) => taken.gathers = true,
            Some(Event::Adopt(adoption, done)) => {
                taken.is_urgent = true;
                self.take_noted(); // what came before the change counts before it
                self.adopt(adoption).await;
                // At a stop the builder may be gone; then nobody waits for the answer.
                let _ = done.send(());
            }
            Some(Event::Stop) | None => taken.stops = true,
        }
    }

    /// Writes and publishes until there is nothing more to do now.
    async fn rounds(&mut self) {
        loop {
            self.round().await;
            let is_due = self.reserve.due_in_ms(self.now()) == Some(0);
            if !is_due || self.figures.failed.load(Ordering::Acquire) {
                break;
            }
        }
        self.figures
            .active
            .store(self.reserve.active() as u64, Ordering::Relaxed);
        self.answer();
    }

    async fn round(&mut self) {
        let now = self.now();
        for load in self.reserve.loads(now) {
            match self.past(load).await {
                Ok(past) => self.reserve.recover(&self.counters, now, load, &past),
                // What cannot be read cannot be trusted to be written either.
                Err(error) => {
                    self.reserve.failed(now, Failure::Poison);
                    return self.fail(&error);
                }
            }
        }
        let batch = self.reserve.next_batch(&self.counters, now);
        if batch.is_empty() {
            return;
        }
        match self.write(&batch).await {
            Ok(()) => self.reserve.committed(&self.counters),
            Err(LedgerError::Full) => {
                if !self.figures.full.swap(true, Ordering::AcqRel) {
                    tracing::error!(
                        "the disk is full: no unit of a quota can be reserved until there is room"
                    );
                }
                self.reserve.failed(now, Failure::Full);
            }
            Err(error) => {
                self.reserve.failed(now, Failure::Poison);
                self.fail(&error);
            }
        }
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let began = Instant::now();
        self.ledger.write(&self.book.rows(batch)).await?;
        if self.figures.full.swap(false, Ordering::AcqRel) {
            tracing::info!("the disk has room again");
        }
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.figures.batches.fetch_add(1, Ordering::Relaxed);
        self.figures
            .rows
            .fetch_add(batch.rows() as u64, Ordering::Relaxed);
        self.figures.write_us.fetch_add(took_us, Ordering::Relaxed);
        Ok(())
    }

    /// Nothing is reserved any more in this process; what is published may be spent.
    fn fail(&mut self, error: &LedgerError) {
        if !self.figures.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the usage ledger failed: no unit of a quota is reserved until a restart");
        }
        self.waiting.wake_all();
    }

    /// Wakes calls and answers flushes, as far as the last round allows.
    fn answer(&mut self) {
        let woken = self.reserve.drain_wake();
        self.waiting.wake(&woken);
        // A need can cross a publication: those calls need no further round.
        let now = self.time.now();
        let mut needed = std::mem::take(&mut self.needed);
        needed.retain(|slot| self.is_decidable(*slot, now));
        self.waiting.wake(&needed);
        if self.figures.failed.load(Ordering::Acquire) {
            self.waiting.wake_all();
            self.asked.clear();
        } else if !self.reserve.is_flushing() {
            self.asked.drain(..).for_each(FlushRequest::done);
        }
    }

    /// Whether a call on this counter would now be let through or refused for good.
    fn is_decidable(&self, slot: Slot, now: crate::time::Now) -> bool {
        let Some(counter) = self.counters.get(slot) else {
            return true;
        };
        let is_metered_only = self.book.quota(slot).is_none();
        is_metered_only || counter.quota.peek(now.day()) != Err(NoUnit::Unreserved)
    }

    async fn adopt(&mut self, adoption: Adoption) {
        for slot in self.book.take_in(adoption) {
            let terms = self.book.terms(slot);
            self.reserve.terms(&self.counters, slot, terms);
        }
        if self.unsettled.is_none() && self.book.knows_plans() {
            self.unsettled = Some(self.find_unsettled().await);
        }
    }

    /// What a crash left: reports shall show at once what was written off.
    async fn find_unsettled(&mut self) -> Vec<Slot> {
        if matches!(
            self.ledger.last_stamp(),
            LastStamp::Alive(Alive {
                is_settled: true,
                ..
            })
        ) {
            return Vec::new();
        }
        let today = i32::from(self.now().day.0);
        match self.ledger.unsettled(today).await {
            Ok(names) => self.book.slots_of(&names),
            Err(error) => {
                self.fail(&error);
                Vec::new()
            }
        }
    }

    fn settle(&mut self) {
        if let Some(slots) = &mut self.unsettled {
            let rest = slots.len().saturating_sub(SETTLED_AT_ONCE);
            slots
                .drain(rest..)
                .for_each(|slot| self.reserve.dirty(slot));
        }
    }

    async fn past(&mut self, load: Load) -> Result<Past, LedgerError> {
        let Some((plan, key)) = self.book.names(load.slot) else {
            return Ok(Past::default());
        };
        let account = self.ledger.account(&plan, &key).await?;
        let used = self
            .ledger
            .used_between(&plan, &key, i32::from(load.from_day.0)..i32::MAX)
            .await?;
        let day = |day: i32| Day(u16::try_from(day).unwrap_or_default());
        Ok(Past {
            terms: self.book.terms(load.slot),
            account: account.map(|row| reserve::AccountRow {
                slot: load.slot,
                window_start: day(row.window_start_day),
                window_end: day(row.window_end_day),
                reserved: row.reserved,
            }),
            used: used
                .into_iter()
                .map(|row| reserve::UsedRow {
                    slot: load.slot,
                    day: day(row.day),
                    used: row.used,
                    remaining: row.remaining,
                    written_off: row.written_off,
                })
                .collect(),
        })
    }

    /// Gives everything unspent back and writes all there is; a full disk is given a moment.
    async fn close(mut self) {
        let until = Instant::now() + CLOSE_WAIT;
        self.reserve.close();
        let is_settled = loop {
            self.rounds().await;
            let has_failed = self.figures.failed.load(Ordering::Acquire);
            if has_failed || Instant::now() >= until {
                tracing::error!(
                    "not all usage could be written before the end; what was reserved is written off at the next start"
                );
                break false;
            }
            if self.reserve.due_in_ms(self.now()).is_none() {
                break true;
            }
            tokio::time::sleep(TICK).await;
        };
        self.stamp(Some(Settled(is_settled)));
    }

    /// Says every second that the process lives.
    fn say_alive(&mut self) {
        if self.alive_at.is_none_or(|at| at.elapsed() >= ALIVE_EVERY) {
            self.alive_at = Some(Instant::now());
            self.stamp(None);
        }
    }

    fn stamp(&mut self, end: Option<Settled>) {
        let said = self.ledger.say_alive(&self.time.alive(end));
        match (said, self.stamp_failed) {
            (Ok(()), _) => self.stamp_failed = false,
            (Err(_), true) => {}
            (Err(error), false) => {
                self.stamp_failed = true;
                tracing::error!(%error, "usage.alive cannot be written: a crash now would be taken for one of an earlier moment");
            }
        }
    }

    fn now(&self) -> reserve::Now {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        reserve::Now {
            day: self.time.now().day(),
            at_ms,
        }
    }
}
