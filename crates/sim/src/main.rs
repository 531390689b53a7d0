//! `make sim`: runs seeds of the simulator, prints the first that fails and how to replay it.

mod buckets;
mod calendar;
mod config;
mod disk;
mod finish;
mod lab;
mod machine;
mod random;
mod scenario;
mod tasks;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

/// Runs the limiter, the ledger's writer and the builder on simulated time, disk and chance.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run this one and print what happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Run each seed twice and compare the traces, one in so many; 0 is none.
    #[arg(long, default_value_t = 10)]
    twice_one_in: u64,
    /// Go on after a seed that fails.
    #[arg(long)]
    all: bool,
    /// Threads, each with seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: u64,
}

/// Seeds that found a mistake once.
fn found_before() -> impl Iterator<Item = u64> {
    let lines = include_str!("found.txt").lines();
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

/// How a run ended.
struct Ended {
    hash: u64,
    steps: u64,
    admitted: u64,
    crashes: u64,
    failure: Option<(String, String)>,
}

fn run(seed: u64, prints: bool) -> Ended {
    trace::begin(prints);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let Ok(runtime) = runtime else {
            return (0, 0, 0);
        };
        runtime.block_on(tokio::task::unconstrained(async {
            let mut world = world::World::new(seed);
            world.run().await;
            let lab = lab::lock(&world.lab);
            (world.steps, lab.admitted, lab.crashes)
        }))
    }));
    let (hash, found) = trace::end();
    let (steps, admitted, crashes) = *ran.as_ref().unwrap_or(&(0, 0, 0));
    let failure = match (ran, found) {
        (_, Some(found)) => Some((found.invariant.to_owned(), found.text)),
        (Ok(_), None) => None,
        (Err(panic), None) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(("I6".to_owned(), text.unwrap_or_default()))
        }
    };
    Ended {
        hash,
        steps,
        admitted,
        crashes,
        failure,
    }
}

#[derive(Default)]
struct Sums {
    seeds: AtomicU64,
    steps: AtomicU64,
    admitted: AtomicU64,
    crashes: AtomicU64,
    twice: AtomicU64,
    has_failed: AtomicBool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A violation is told below; elsewhere a panic's place is worth knowing only in a replay.
    let prints = arguments.seed.is_some();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if prints {
            told(panic);
        }
    }));
    if let Some(seed) = arguments.seed {
        let ended = run(seed, true);
        println!(
            "seed {seed}: trace {:016x}, {} steps",
            ended.hash, ended.steps
        );
        return match ended.failure {
            None => ExitCode::SUCCESS,
            Some((invariant, text)) => {
                println!("seed {seed} violates {invariant}: {text}");
                ExitCode::FAILURE
            }
        };
    }
    let sums = Sums::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..arguments.threads.max(1) {
            let (arguments, sums) = (&arguments, &sums);
            scope.spawn(move || run_many(arguments, thread, sums));
        }
    });
    let load = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds from {}: {} steps, {} calls admitted, {} crashes, {} seeds run twice; {:.0} s, {:.0} seeds/s",
        load(&sums.seeds),
        arguments.from,
        load(&sums.steps),
        load(&sums.admitted),
        load(&sums.crashes),
        load(&sums.twice),
        seconds,
        load(&sums.seeds) as f64 / seconds,
    );
    if sums.has_failed.load(Ordering::Relaxed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn run_many(arguments: &Arguments, thread: u64, sums: &Sums) {
    let until = arguments
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seeds = found_before().chain(arguments.from..arguments.from + arguments.seeds);
    let seeds = seeds.skip(thread as usize);
    for seed in seeds.step_by(arguments.threads.max(1) as usize) {
        let has_enough = !arguments.all && sums.has_failed.load(Ordering::Relaxed);
        if has_enough || until.is_some_and(|until| Instant::now() >= until) {
            return;
        }
        let mut ended = run(seed, false);
        let is_twice = arguments.twice_one_in > 0 && seed % arguments.twice_one_in == 0;
        if is_twice && ended.failure.is_none() {
            sums.twice.fetch_add(1, Ordering::Relaxed);
            let again = run(seed, false);
            if again.hash != ended.hash {
                ended.failure = Some((
                    "I14".into(),
                    format!("two traces: {:016x} and {:016x}", ended.hash, again.hash),
                ));
            }
        }
        sums.seeds.fetch_add(1, Ordering::Relaxed);
        sums.steps.fetch_add(ended.steps, Ordering::Relaxed);
        sums.admitted.fetch_add(ended.admitted, Ordering::Relaxed);
        sums.crashes.fetch_add(ended.crashes, Ordering::Relaxed);
        if let Some((invariant, text)) = ended.failure {
            sums.has_failed.store(true, Ordering::Relaxed);
            println!("seed {seed} violates {invariant}: {text}");
            println!("replay it with: make sim SEED={seed}");
        }
    }
}
