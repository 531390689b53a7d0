//! The end of a run: nothing goes wrong any more, and what was promised must come true.

use crate::calendar::{self, DAY_MS};
use crate::config::{Config, Pair};
use crate::lab::lock;
use crate::trace::{note, violated};
use crate::world::{Asked, World};
use tollgate_proxy::simulation::Refused;

/// Tasks of a process that does nothing: its writer and its builder.
const AT_REST: usize = 2;

/// Calls that one key makes at the end at most, beyond its limit.
const MORE: u64 = 5;

impl World {
    /// From the first step to the last check.
    pub async fn run(&mut self) {
        self.start();
        let end_ms = self.scenario.end_ms;
        self.go(end_ms, |_| false).await;
        self.is_over = true;
        self.heal();
        self.come_back().await;
        let limits = self.lift_throttles().await;
        let driven = self.demand_everything(&limits).await;
        self.check_rows(&driven).await;
        self.stop_cleanly().await;
        self.start();
        self.come_back().await;
        self.check_nothing_left(&driven).await;
        let lab = lock(&self.lab);
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.process.waiting() > 0)
        {
            violated("I13", "a queue is not empty at the end".into());
        }
        lab.log.check(&lab.history.versions, self.scenario.account);
        note("end", &[lab.admitted, lab.refused, self.steps]);
    }

    /// A process that serves and that has a healthy disk.
    async fn come_back(&mut self) {
        let has_failed = lock(&self.lab).disk.has_failed || lock(&self.lab).has_failed;
        let is_stopping = self
            .running
            .as_ref()
            .is_some_and(|running| running.is_stopping);
        if is_stopping {
            let until = self.now_ms() + 60_000;
            self.go(until, |world| world.running.is_none()).await;
        }
        if has_failed {
            self.crash(false);
        }
        self.start();
        let until = self.now_ms() + 30_000;
        self.go(until, |world| {
            world
                .running
                .as_ref()
                .is_some_and(|running| running.is_serving.get())
        })
        .await;
        if self
            .running
            .as_ref()
            .is_none_or(|running| !running.is_serving.get())
        {
            violated("I13", "the process does not begin to serve".into());
        }
        // What began before comes to its end first: its calls still have their places in the queues.
        let until = self.now_ms() + 5_000;
        self.go(until, |world| world.tasks.count() <= AT_REST).await;
        if self.tasks.count() > AT_REST {
            violated("I13", "calls or reports have no end".into());
        }
        // A jump that has proven itself is believed by then.
        let wait_ms = if self.scenario.is_honest { 500 } else { 75_000 };
        self.pass(wait_ms).await;
        let busy_ms = lock(&self.lab).disk.busy_until_ns / crate::machine::NS_PER_MS + 1_000;
        self.go(busy_ms, |_| false).await;
        // Not over midnight.
        let believed_ms = self
            .running
            .as_ref()
            .map_or(0, |running| running.process.now().wall_ms);
        if believed_ms.rem_euclid(DAY_MS) > DAY_MS - 120_000 {
            self.pass(130_000).await;
        }
    }

    async fn pass(&mut self, ms: u64) {
        let until = self.now_ms() + ms;
        self.go(until, |_| false).await;
    }

    /// Everybody may call, as fast as they like, as often as the quota allows.
    async fn lift_throttles(&mut self) -> Config {
        let mut config: Config = (**lock(&self.lab).history.newest()).clone();
        for plan in &mut config.plans {
            (plan.throttle, plan.method, plan.covers) = (None, None, true);
        }
        for key in &mut config.keys {
            key.enabled = true;
        }
        config.stage = None;
        let version = self.commit(config.clone());
        let until = self.now_ms() + 5_000;
        self.go(until, |world| lock(&world.lab).history.acked >= version)
            .await;
        if lock(&self.lab).history.acked < version {
            violated(
                "I13",
                "a change was not acknowledged in five seconds".into(),
            );
        }
        config
    }

    /// Drives every key until it is refused for good. Gives those with a quota, and what each still got.
    async fn demand_everything(&mut self, config: &Config) -> Vec<(Pair, u64)> {
        let mut driven = Vec::new();
        for key in 0..config.keys.len() as u8 {
            let Some(plan) = config.plan_of(key) else {
                continue;
            };
            let pair = (plan, key);
            let most = config.quota(plan).map_or(0, |quota| quota.limit + 60);
            let mut admitted = 0;
            let mut tries = 0;
            let is_used_up = loop {
                tries += 1;
                if admitted > most + MORE || tries > 2 * most + 200 {
                    break false;
                }
                let asked = Asked {
                    path: 1,
                    key: Some(key),
                    away: None,
                };
                let Some(answered) = self.ask(asked).await else {
                    violated("I13", format!("a call of {pair:?} is not answered"));
                };
                match answered.result {
                    Ok(()) => admitted += 1,
                    Err(Refused::QuotaExceeded { .. }) => break true,
                    Err(Refused::Throttled { .. }) => self.pass(50).await,
                    Err(refused) => violated(
                        "I13",
                        format!("{pair:?} is refused on a healthy disk: {refused:?}"),
                    ),
                }
            };
            if config.quota(plan).is_some() {
                if !is_used_up {
                    violated(
                        "I1",
                        format!("{pair:?}: {admitted} admitted at the end and no end of it"),
                    );
                }
                driven.push((pair, admitted));
                self.check_used_up(config, pair);
            }
        }
        driven
    }

    /// Exactly the limit, less what crashes may have cost.
    fn check_used_up(&self, config: &Config, pair: Pair) {
        let lab = lock(&self.lab);
        let Some(quota) = config.quota(pair.0) else {
            return;
        };
        let believed_ms = self
            .running
            .as_ref()
            .map_or(0, |running| running.process.now().wall_ms);
        let today = calendar::window(&quota, calendar::day_of_ms(believed_ms));
        let on_disk = lab
            .disk
            .visible()
            .accounts
            .get(&pair)
            .map(|account| account.window);
        let is_one = |window: &calendar::Window| calendar::window(&quota, window.0) == *window;
        let window = on_disk
            .filter(|window| window.0 >= today.0 && is_one(window))
            .unwrap_or(today);
        let counted = lab.counted.get(&pair).cloned().unwrap_or_default();
        let (admitted, forfeit) = (counted.in_window(window), counted.forfeit(window));
        let limit = config.limit_in(pair, window).unwrap_or(0);
        // Calls of days that meet in one word, because the clock was set, are counted on one of them.
        let image = lab.disk.visible();
        let agrees = |day: &i64, had: &crate::lab::Day| {
            image.used.get(&(pair, *day)).map_or(0, |row| row.used) == had.held + had.free
        };
        let is_certain = lab.is_honest
            || (lab.crashes == 0 && counted.days.iter().all(|(day, had)| agrees(day, had)));
        if is_certain && admitted + forfeit < limit {
            let invariant = if forfeit == 0 { "I2" } else { "I3" };
            violated(
                invariant,
                format!(
                    "{pair:?}: {admitted} admitted in {window:?} in all, limit {limit}, crashes may have cost {forfeit}"
                ),
            );
        }
    }

    /// What is reported at the end.
    async fn check_rows(&mut self, driven: &[(Pair, u64)]) {
        let Some(desk) = self.running.as_ref().map(|running| running.desk.clone()) else {
            return;
        };
        let done = self.tasks.spawn(async move {
            if desk.flush(std::time::Duration::from_secs(2)).await.is_err() {
                violated("I13", "the last flush was not answered".into());
            }
        });
        let until = self.now_ms() + 5_000;
        self.go(until, |world| world.tasks.is_done(done)).await;
        let lab = lock(&self.lab);
        let image = lab.disk.visible();
        for (pair, counted) in &lab.counted {
            let had: u64 = counted.days.values().map(|day| day.held + day.free).sum();
            let lost: u64 = counted.days.values().map(|day| day.free_lost).sum();
            let used: u64 = image
                .days(*pair, i64::MIN..i64::MAX)
                .map(|(_, row)| row.used)
                .sum();
            if used > had + lost || (lab.crashes == 0 && used != had) {
                violated(
                    "I10",
                    format!(
                        "{pair:?}: {used} used at the end, {had} admitted, {} crashes",
                        lab.crashes
                    ),
                );
            }
        }
        for (pair, still_got) in driven {
            let Some(account) = image.accounts.get(pair) else {
                continue;
            };
            let Some(limit) = lab.history.newest().limit_in(*pair, account.window) else {
                continue;
            };
            let (used, written_off) = image.sum(*pair, account.window);
            let counted = lab.counted.get(pair).cloned().unwrap_or_default();
            let (admitted, forfeit) = (
                counted.in_window(account.window),
                counted.forfeit(account.window),
            );
            if lab.crashes == 0 && written_off > 0 {
                violated(
                    "I10",
                    format!("{pair:?}: {written_off} written off without a crash"),
                );
            }
            // Without an honest clock, calls of one day can be counted on another.
            if !lab.is_honest {
                continue;
            }
            if used + written_off > (admitted + forfeit).max(limit)
                || used + written_off < admitted.min(limit)
            {
                violated(
                    "I3",
                    format!(
                        "{pair:?}: {used} used and {written_off} written off in {:?}, {admitted} admitted, crashes may have cost {forfeit}",
                        account.window
                    ),
                );
            }
            let newest = image.days(*pair, account.window.0..account.window.1).last();
            // Nobody rewrites the row of a counter that is not used.
            if *still_got > 0
                && let Some((day, row)) = newest
                && let Some(remaining) = row.remaining
                && used + written_off <= limit
                && used + written_off + remaining != limit
            {
                violated(
                    "I10",
                    format!(
                        "{pair:?} day {day}: {used} used, {written_off} written off, {remaining} remaining, limit {limit}"
                    ),
                );
            }
        }
    }

    /// After one more start there is still nothing left.
    async fn check_nothing_left(&mut self, driven: &[(Pair, u64)]) {
        for (pair, _) in driven {
            let asked = Asked {
                path: 1,
                key: Some(pair.1),
                away: None,
            };
            let answered = self.ask(asked).await;
            match answered.map(|answered| answered.result) {
                Some(Err(Refused::QuotaExceeded { .. } | Refused::Throttled { .. })) => {}
                Some(Ok(())) => violated(
                    "I1",
                    format!("{pair:?} is admitted after a restart, though its quota was used up"),
                ),
                other => violated(
                    "I13",
                    format!("{pair:?} is answered {other:?} after a restart"),
                ),
            }
        }
    }
}
