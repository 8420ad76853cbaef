//! The pages of each program while the number of sessions in Redis grows, and the memory of a session.

use super::browser::{self, Latencies, spread};
use super::redis_counters::number;
use super::servers::redis::RedisServer;
use super::{REQUESTS, Server};

/// The number of sessions at first.
const FIRST: usize = 1_000;

/// The rounds at each number of sessions.
const ROUNDS: usize = 5;

/// Measures each program at a thousand sessions of its own, ten thousand, and so on.
pub(crate) fn measure(redis: &RedisServer, programs: &[Server], most: usize) {
    println!(
        "{:>10} {:<20} {:>22} {:>22} {:>18}",
        "sessions", "", "read p50, us", "write p50, us", "bytes of a session"
    );
    let (mut there, mut wanted) = (0, FIRST);
    while wanted <= most {
        let bytes = programs.iter().map(|program| {
            eprint!("\r{wanted} sessions of {:<20}", program.name);
            let before = memory(redis);
            browser::begin_sessions(program.port, wanted - there);
            (memory(redis) - before) / (wanted - there) as f64
        });
        let bytes: Vec<f64> = bytes.collect();
        eprint!("\r{:50}\r", "");
        let rounds: Vec<Vec<[Latencies; 2]>> = (0..ROUNDS)
            .map(|round| one_round(programs, round))
            .collect();
        for (place, program) in programs.iter().enumerate() {
            let of = |how: usize| {
                let figures = rounds.iter().map(|round| round[place][how].part(0.5));
                spread(figures.collect())
            };
            println!(
                "{wanted:>10} {:<20} {:>22} {:>22} {:>18.0}",
                program.name,
                of(0),
                of(1),
                bytes[place],
            );
        }
        (there, wanted) = (wanted, wanted * 10);
    }
}

/// Measures each program once, beginning with another one in each round.
fn one_round(programs: &[Server], round: usize) -> Vec<[Latencies; 2]> {
    let mut measured: Vec<Option<[Latencies; 2]>> = programs.iter().map(|_| None).collect();
    for turn in 0..programs.len() {
        let place = (round + turn) % programs.len();
        measured[place] = Some(browser::visit(programs[place].port, REQUESTS));
    }
    measured.into_iter().flatten().collect()
}

/// Returns the bytes that the server's data has.
fn memory(redis: &RedisServer) -> f64 {
    let info = redis.command("INFO memory").expect("an answer");
    number(&info, "used_memory")
}
