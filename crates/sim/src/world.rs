//! One run: a machine, its disk, its processes one after the other, and those who call them.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tollgate_limiter::Slot;
use tollgate_proxy::WaitLimits;
use tollgate_proxy::simulation::{self, Adopter, Process, SimulatedClock};
use tollgate_store::{Digester, FlushDesk, LastStamp};

use crate::calendar::{DAY_MS, day_of_ms};
use crate::config::{self, Config, PATHS, key_value, number};
use crate::disk::{Disk, SimulatedLedger};
use crate::lab::{Answered, Lab, lock};
use crate::machine::{Machine, NS_PER_MS, ProcessClock};
use crate::random::Random;
use crate::scenario::{self, Event, Scenario};
use crate::tasks::{Tasks, pause};
use crate::trace::{self, note, say, violated};

pub struct World {
    pub lab: Arc<Mutex<Lab>>,
    machine: Arc<Machine>,
    pub scenario: Scenario,
    random: Random,
    pub tasks: Tasks,
    digester: Digester,
    pub running: Option<Running>,
    is_suspended: bool,
    resume_ms: u64,
    /// Steps of all processes, and at which the process is killed.
    pub steps: u64,
    kill_at: Option<u64>,
    began: tokio::time::Instant,
    pub is_over: bool,
}

/// A process that runs.
pub struct Running {
    pub process: Process,
    pub desk: Arc<FlushDesk>,
    changed: Arc<Notify>,
    /// The first snapshot is complete.
    pub is_serving: Rc<Cell<bool>>,
    writer: usize,
    pub is_stopping: bool,
}

/// What a call asks for.
#[derive(Clone, Copy)]
pub struct Asked {
    pub path: usize,
    pub key: Option<u8>,
    /// Its thread is taken off the core for so long, between its look at the clock and its decision.
    pub away: Option<u64>,
}

impl World {
    pub fn new(seed: u64) -> World {
        let scenario = Scenario::new(&mut Random::new(seed, 1));
        let machine = Arc::new(Machine::new(scenario.base_ms));
        let mut disk = Disk::new(Random::new(seed, 2));
        disk.faults.lags_one_in = scenario.lags_one_in;
        let mut lab = Lab::new(
            Arc::clone(&machine),
            disk,
            scenario.config.clone(),
            scenario.is_honest,
        );
        lab.has_short_queues = scenario.waiters_max < 100;
        World {
            lab: Arc::new(Mutex::new(lab)),
            machine,
            scenario,
            random: Random::new(seed, 3),
            tasks: Tasks::default(),
            digester: Digester::new([7; 32]),
            running: None,
            is_suspended: false,
            resume_ms: 0,
            steps: 0,
            kill_at: None,
            began: tokio::time::Instant::now(),
            is_over: false,
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// What the timers have reached; the machine's clock is never behind them.
    fn look_at_clock(&self) -> u64 {
        let timers_ns = self.began.elapsed().as_nanos() as u64;
        self.machine.reach(timers_ns);
        trace::at(self.machine.mono_ns());
        timers_ns
    }

    /// Lets time pass until a moment, or until something is so.
    pub async fn go(&mut self, until_ms: u64, is_done: impl Fn(&World) -> bool) {
        loop {
            let timers_ns = self.look_at_clock();
            if is_done(self) {
                return;
            }
            let ahead_ns = self.machine.mono_ns() - timers_ns;
            if ahead_ns > NS_PER_MS {
                // What the steps took has passed for the timers too.
                tokio::time::advance(Duration::from_nanos(ahead_ns)).await;
                continue;
            }
            let now_ms = timers_ns / NS_PER_MS;
            if let Some(((at_ms, _), _)) = self.scenario.events.first_key_value()
                && *at_ms <= now_ms
                && let Some((_, event)) = self.scenario.events.pop_first()
            {
                self.happen(event);
                continue;
            }
            if !self.is_suspended {
                let choices = self.tasks.choices();
                if !choices.is_empty() {
                    let id = choices[self.random.index(choices.len())];
                    self.step(id);
                    continue;
                }
            }
            if now_ms >= until_ms {
                return;
            }
            let next = self
                .scenario
                .events
                .first_key_value()
                .map_or(until_ms, |((at_ms, _), _)| *at_ms);
            self.idle(next.min(until_ms)).await;
        }
    }

    /// Nothing can go on before this moment, or before a task is woken.
    async fn idle(&self, until_ms: u64) {
        let mut sleep = pin!(tokio::time::sleep_until(
            self.began + Duration::from_millis(until_ms)
        ));
        std::future::poll_fn(|context| {
            if sleep.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if self.is_suspended {
                return Poll::Pending;
            }
            self.tasks.poll_ready(context)
        })
        .await
    }

    fn step(&mut self, id: usize) {
        self.steps += 1;
        let ns = self.random.below(20_000);
        self.machine.nudge(ns);
        trace::at(self.machine.mono_ns());
        note("step", &[id as u64]);
        self.machine.begin_step();
        self.tasks.step(id);
        if self.kill_at.is_some_and(|at| self.steps >= at) {
            self.kill_at = None;
            self.crash(false);
        }
        self.end_if_written();
    }

    /// The writer has written everything and ended, so the process ends.
    fn end_if_written(&mut self) {
        let Some(running) = &self.running else { return };
        if running.is_stopping && self.tasks.is_done(running.writer) {
            let is_settled = match &lock(&self.lab).disk.stamp {
                LastStamp::Alive(alive) => alive.is_settled,
                _ => false,
            };
            say(|| format!("the process ended, settled: {is_settled}"));
            self.end(is_settled);
        }
    }

    fn end(&mut self, is_settled: bool) {
        self.tasks.kill();
        self.tasks = Tasks::default();
        self.running = None;
        self.is_suspended = false;
        self.kill_at = None;
        let mut lab = lock(&self.lab);
        lab.process_ends(is_settled);
        drop(lab);
        if !self.is_over {
            let after_ms = self.random.pick(&[0, 1, 50, 400, 1_500, 4_000]);
            let after_ms = if self.random.one_in(40) {
                2 * DAY_MS as u64
            } else {
                after_ms
            };
            let at = self.now_ms() + after_ms;
            self.scenario.put(at, Event::Start);
        }
    }

    pub fn crash(&mut self, power: bool) {
        if self.running.is_none() {
            return;
        }
        note("crash", &[u64::from(power)]);
        self.end(false);
        if power {
            self.machine.reboot();
        }
        if self.is_over {
            return;
        }
        if self.random.one_in(2) {
            // Again, while it recovers.
            self.kill_at = Some(self.steps + self.random.between(1, 25));
        }
        let mut lab = lock(&self.lab);
        if self.random.one_in(12) {
            say(|| "the stamp is lost".into());
            lab.disk.stamp = LastStamp::Unknown;
        }
        if !self.scenario.is_honest && self.random.one_in(3) {
            let error_ms = scenario::step(&mut self.random);
            self.machine.set_error_ms(error_ms);
            lab.clock_changed();
        }
    }

    fn happen(&mut self, event: Event) {
        if !matches!(event, Event::Call) {
            say(|| format!("{event:?}"));
        }
        match event {
            Event::Call => {
                let asked = self.some_call();
                self.call(asked);
            }
            Event::Burst => {
                let asked = self.some_call();
                for _ in 0..self.random.between(5, 30) {
                    self.call(Asked {
                        away: None,
                        ..asked
                    });
                }
            }
            Event::Change => self.change(),
            Event::Report => self.report(),
            Event::Rumour => self.rumour(),
            Event::Kill => self.crash(false),
            Event::PowerCut => self.crash(true),
            Event::KillSoon(steps) => self.kill_at = Some(self.steps + steps),
            Event::Stop => self.stop(),
            Event::Start => self.start(),
            Event::Suspend { ms } => {
                self.is_suspended = true;
                self.resume_ms = self.now_ms() + ms;
                let at = self.resume_ms;
                self.scenario.put(at, Event::Resume);
                lock(&self.lab).excuse(ms + 1_000);
            }
            Event::Resume => self.is_suspended = false,
            Event::Sleep { ms } => {
                self.machine.sleep(ms * NS_PER_MS);
                lock(&self.lab).clock_changed();
            }
            Event::SetClock { error_ms } => {
                self.machine.set_error_ms(error_ms);
                lock(&self.lab).clock_changed();
                if self.random.one_in(3) {
                    // One bad sample, then the truth again.
                    let at = self.now_ms() + self.random.between(1, 400);
                    self.scenario.put(at, Event::SetClock { error_ms: 0 });
                }
            }
            Event::DiskFull { ms } => {
                let mut lab = lock(&self.lab);
                lab.disk.faults.full_until_ns = self.machine.mono_ns() + ms * NS_PER_MS;
                lab.excuse(ms + 1_500);
            }
            Event::DiskFails(failing) => lock(&self.lab).disk.faults.fails = Some(failing),
            Event::Unreadable => lock(&self.lab).disk.faults.unreadable = true,
            Event::DiskSlow { ms } => lock(&self.lab).disk.faults.slow_ms = ms,
            Event::Drained => self.drained(),
            Event::StampsFail(fail) => lock(&self.lab).disk.faults.stamps_fail = fail,
            Event::Hold { ms } => {
                let choices = self.tasks.choices();
                let id = if choices.is_empty() {
                    self.random.index(2)
                } else {
                    choices[self.random.index(choices.len())]
                };
                self.tasks.hold(id);
                lock(&self.lab).excuse(ms + 1_000);
                let at = self.now_ms() + ms;
                self.scenario.put(at, Event::Release(id));
            }
            Event::Release(id) => self.tasks.release(id),
        }
    }

    fn some_call(&mut self) -> Asked {
        let keys = lock(&self.lab).history.newest().keys.len() as u64;
        // The first key is busier than the others.
        let key = if self.random.one_in(2) {
            0
        } else {
            self.random.below(keys)
        } as u8;
        let path = self.random.pick(&[0, 0, 0, 1, 1, config::OPEN]);
        let away = self
            .random
            .one_in(10)
            .then(|| self.random.pick(&[0, 0, 1, 5, 50, 700]));
        Asked {
            path,
            key: (path != config::OPEN).then_some(key),
            away,
        }
    }

    pub fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        note("start", &[]);
        self.look_at_clock();
        let desk: Arc<FlushDesk> = Arc::default();
        desk.open();
        lock(&self.lab).process_begins();
        let ledger = SimulatedLedger::open(&self.lab, Arc::clone(&desk));
        let machine = &self.machine;
        let clock = |ticks_at_start| -> Arc<dyn SimulatedClock> {
            Arc::new(ProcessClock {
                machine: Arc::clone(machine),
                started_ns: machine.mono_ns(),
                ticks_at_start,
            })
        };
        let limits = WaitLimits {
            waiters_per_counter_max: self.scenario.waiters_max,
            ..WaitLimits::default()
        };
        let account = self.scenario.account.map(config::settings);
        let made = simulation::process(ledger, clock, self.digester, account, limits);
        let Ok((process, writer, adopter)) = made else {
            // Whoever watches over the process starts it again.
            return self.scenario.put(self.now_ms() + 50, Event::Start);
        };
        let changed = Arc::new(Notify::new());
        let is_serving = Rc::new(Cell::new(false));
        let writer = self.tasks.spawn(writer.run());
        let builder = Builder {
            lab: Arc::clone(&self.lab),
            process: process.clone(),
            adopter,
            digester: self.digester,
            changed: Arc::clone(&changed),
            is_serving: Rc::clone(&is_serving),
        };
        self.tasks.spawn(builder.run());
        self.running = Some(Running {
            process,
            desk,
            changed,
            is_serving,
            writer,
            is_stopping: false,
        });
    }

    fn stop(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.is_serving.get() && !std::mem::replace(&mut running.is_stopping, true) {
            let at = self.began.elapsed().as_millis() as u64 + self.random.below(300);
            self.scenario.put(at, Event::Drained);
        }
    }

    /// Calls that are not answered by now are cut, and the builder ends; then the writer is told to stop.
    fn drained(&mut self) {
        let Some(running) = self.running.as_ref().filter(|running| running.is_stopping) else {
            return;
        };
        self.tasks.end_all_but(running.writer);
        running.process.writer().stop();
    }

    /// Stops the process and waits for its end.
    pub async fn stop_cleanly(&mut self) {
        self.stop();
        let until = self.now_ms() + 60_000;
        self.go(until, |world| world.running.is_none()).await;
        if self.running.is_some() {
            violated("I13", "the process does not end".into());
        }
    }

    fn serving(&self) -> Option<&Running> {
        let running = self.running.as_ref()?;
        (running.is_serving.get() && !running.is_stopping).then_some(running)
    }

    fn call(&mut self, asked: Asked) {
        if let Some(away_ms) = asked.away.filter(|away_ms| *away_ms >= 50) {
            // It holds an adoption up, and whoever waits for a new plan's units.
            lock(&self.lab).excuse(away_ms + 500);
        }
        if let Some(running) = self.serving() {
            let work = call(Arc::clone(&self.lab), running.process.clone(), asked, None);
            self.tasks.spawn(work);
        }
    }

    /// Calls and waits for the answer.
    pub async fn ask(&mut self, asked: Asked) -> Option<Answered> {
        let answer = Rc::new(RefCell::new(None));
        let running = self.serving()?;
        let work = call(
            Arc::clone(&self.lab),
            running.process.clone(),
            asked,
            Some(Rc::clone(&answer)),
        );
        let id = self.tasks.spawn(work);
        let until = self.now_ms() + 5_000;
        self.go(until, |world| world.tasks.is_done(id)).await;
        answer.take()
    }

    fn change(&mut self) {
        let lab = lock(&self.lab);
        let mut next: Config = (**lab.history.newest()).clone();
        let day = day_of_ms(lab.machine.wall_ms());
        let counted = &lab.counted;
        let used = |pair| {
            let of = counted.get(&pair)?;
            Some(of.in_window(of.label?))
        };
        config::change(&mut next, &mut self.random, day, |pair| {
            used(pair).unwrap_or(0)
        });
        drop(lab);
        self.commit(next);
    }

    /// A new version of the configuration; gives its number.
    pub fn commit(&mut self, next: Config) -> usize {
        let version = lock(&self.lab).committed(next);
        say(|| {
            let lab = lock(&self.lab);
            let history = &lab.history;
            let touched = history.versions[version].touched(&history.versions[version - 1]);
            format!("version {version} {touched:?}: {:?}", history.newest())
        });
        if let Some(running) = &self.running {
            running.changed.notify_one();
        }
        version
    }

    fn report(&mut self) {
        let Some(running) = self.serving() else {
            return;
        };
        let work = report(Arc::clone(&self.lab), Arc::clone(&running.desk));
        self.tasks.spawn(work);
    }

    fn rumour(&mut self) {
        let Some(running) = self.serving() else {
            return;
        };
        let process = running.process.clone();
        let counters = process.counters();
        if counters == 0 {
            return;
        }
        let slot = Slot(self.random.below(u64::from(counters)) as u32);
        match self.random.below(4) {
            0 => process.writer().need(slot),
            1 => process.writer().low(slot),
            2 => process.writer().used(slot),
            _ => process.wake(slot),
        }
    }

    /// Nothing goes wrong from here on.
    pub fn heal(&mut self) {
        self.scenario.events.clear();
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.is_stopping)
        {
            let at = self.now_ms();
            self.scenario.put(at, Event::Drained);
        }
        self.kill_at = None;
        self.is_suspended = false;
        self.tasks.release_all();
        self.machine.set_error_ms(0);
        let mut lab = lock(&self.lab);
        lab.disk.heal();
        lab.clock_changed();
        lab.excused_until_ns = 0;
        lab.excuse(2_500);
    }
}

/// What follows the configuration: the store's part is the history, the rest is the product's.
struct Builder {
    lab: Arc<Mutex<Lab>>,
    process: Process,
    adopter: Adopter,
    digester: Digester,
    changed: Arc<Notify>,
    is_serving: Rc<Cell<bool>>,
}

impl Builder {
    async fn run(mut self) {
        let (mut version, rows) = {
            let lab = lock(&self.lab);
            let newest = lab.history.newest();
            (
                lab.history.versions.len() - 1,
                newest.rows(&newest.all(), &self.digester),
            )
        };
        self.adopter.start(rows).await;
        self.process.started();
        lock(&self.lab).acknowledged(version);
        self.is_serving.set(true);
        loop {
            // The feed first tells what changed, then the rows are read: they may be newer.
            let told = lock(&self.lab).history.versions.len() - 1;
            if told == version {
                self.changed.notified().await;
                continue;
            }
            pause().await;
            let rows = {
                let lab = lock(&self.lab);
                let versions = &lab.history.versions;
                let touched = versions[told].touched(&versions[version]);
                lab.history.newest().rows(&touched, &self.digester)
            };
            pause().await;
            self.process.adopt(&mut self.adopter, rows).await;
            version = told;
            lock(&self.lab).acknowledged(version);
        }
    }
}

async fn call(
    lab: Arc<Mutex<Lab>>,
    process: Process,
    asked: Asked,
    answer: Option<Rc<RefCell<Option<Answered>>>>,
) {
    let value = asked.key.map(key_value);
    let mut call = process.call(PATHS[asked.path], value.as_deref());
    let look = |call: &simulation::Call, believed_ms: i64| {
        let lab = lock(&lab);
        let ago_ns = lab.machine.in_step_ns();
        let ago_ms = (ago_ns / NS_PER_MS) as i64;
        Answered {
            path: asked.path,
            key: asked.key,
            plan: call.plan().map(number),
            has_quota: call.has_quota(),
            result: Ok(()),
            looked_ns: lab.machine.mono_ns() - ago_ns,
            looked_true_ns: lab.machine.true_ns() - ago_ns,
            looked_true_ms: lab.machine.true_ms() - ago_ms,
            believed_ms: believed_ms - ago_ms,
            is_stale: ago_ns > 0,
        }
    };
    let mut answered = None;
    if let Some(away_ms) = asked.away {
        let begun = process.begin();
        let seen = look(&call, begun.now().wall_ms);
        pause().await;
        if away_ms > 0 {
            tokio::time::sleep(Duration::from_millis(away_ms)).await;
        }
        if let Some(result) = process.finish(begun, &mut call) {
            answered = Some(Answered {
                plan: call.plan().map(number),
                has_quota: call.has_quota(),
                result,
                is_stale: true,
                ..seen
            });
        }
    }
    let answered = match answered {
        Some(answered) => answered,
        None => {
            let result = process.decide(&mut call).await;
            // Nothing else runs between the decision's look at the clock and this one.
            let seen = look(&call, process.now().wall_ms);
            Answered { result, ..seen }
        }
    };
    lock(&lab).answered(&answered);
    if let Some(answer) = answer {
        answer.replace(Some(answered));
    }
}

/// Asks for everything to be written, and sees what is there then.
async fn report(lab: Arc<Mutex<Lab>>, desk: Arc<FlushDesk>) {
    let (before, crashes) = {
        let lab = lock(&lab);
        (lab.counted.clone(), lab.crashes)
    };
    let Ok(()) = desk.flush(Duration::from_secs(2)).await else {
        let lab = lock(&lab);
        if !lab.has_failed && lab.machine.mono_ns() > lab.excused_until_ns {
            violated("I13", "a flush was not answered in two seconds".into());
        }
        return;
    };
    let lab = lock(&lab);
    note("flushed", &[]);
    if crashes > 0 || !lab.is_honest {
        return;
    }
    let image = lab.disk.visible();
    for (pair, counted) in &before {
        for (day, had) in &counted.days {
            let used = image.used.get(&(*pair, *day)).map_or(0, |row| row.used);
            if used < had.held + had.free {
                violated(
                    "I10",
                    format!(
                        "{pair:?} day {day}: {used} used after a flush, {had:?} admitted before it"
                    ),
                );
            }
        }
    }
}
