//! What a request costs Redis: commands, bytes, and CPU time.

use super::Server;
use super::browser::{self, Page};
use super::servers::redis::RedisServer;

/// The requests that are counted.
const REQUESTS: usize = 2_000;

/// The counters of a server.
#[derive(Clone, Copy)]
struct Counters {
    /// The commands of clients. Those that scripts call are not among them.
    commands: f64,
    received: f64,
    sent: f64,
    /// In microseconds.
    cpu: f64,
}

/// Returns a number of the server's information.
pub(crate) fn number(info: &str, name: &str) -> f64 {
    let line = info.lines().find_map(|line| {
        let value = line.trim_start_matches(['$', '+']).strip_prefix(name)?;
        value.strip_prefix(':')
    });
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no number {name}"))
}

/// Returns the number of calls of a command.
fn calls(info: &str, command: &str) -> f64 {
    let name = format!("cmdstat_{command}:calls=");
    let found = info.lines().find_map(|line| line.strip_prefix(&*name));
    found.map_or(0.0, |rest| {
        let digits = rest.split(',').next().unwrap_or_default();
        digits.parse().expect("a number")
    })
}

impl Counters {
    fn read(server: &RedisServer) -> Self {
        let info = |section: &str| server.command(section).expect("an answer");
        let (stats, cpu) = (info("INFO stats"), info("INFO cpu"));
        let commands = info("INFO commandstats");
        // A script's calls are counted as commands, too.
        let scripts = calls(&commands, "evalsha") + calls(&commands, "eval");
        let others = [
            "get", "set", "setex", "psetex", "del", "expire", "pexpire", "exists",
        ];
        let plain: f64 = others.iter().map(|name| calls(&commands, name)).sum();
        Counters {
            commands: if scripts > 0.0 { scripts } else { plain },
            received: number(&stats, "total_net_input_bytes"),
            sent: number(&stats, "total_net_output_bytes"),
            cpu: 1e6 * (number(&cpu, "used_cpu_user") + number(&cpu, "used_cpu_sys")),
        }
    }
}

/// Prints the figures of each program's pages.
pub(crate) fn print(redis: &RedisServer, programs: &[Server]) {
    println!(
        "\n{:<28} {:>10} {:>16} {:>16} {:>12}",
        "of a request", "commands", "bytes to Redis", "bytes from it", "its CPU, us"
    );
    for page in [Page::Read, Page::Write] {
        for program in programs {
            redis.command("CONFIG RESETSTAT").expect("an answer");
            let before = Counters::read(redis);
            browser::repeat(program.port, page, REQUESTS);
            let after = Counters::read(redis);
            let of_one = |count: &dyn Fn(&Counters) -> f64| {
                (count(&after) - count(&before)) / REQUESTS as f64
            };
            println!(
                "{:<28} {:>10.2} {:>16.0} {:>16.0} {:>12.1}",
                format!("{}, {}", program.name, page.name()),
                of_one(&|counted| counted.commands),
                of_one(&|counted| counted.received),
                of_one(&|counted| counted.sent),
                of_one(&|counted| counted.cpu),
            );
        }
    }
}
