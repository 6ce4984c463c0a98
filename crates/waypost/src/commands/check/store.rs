//! `waypost check store`: whether the data is whole.

use crate::cli::Global;
use crate::commands::administer;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use admin::system;

pub(super) fn run(global: &Global, json: bool) -> Result<Exit, Failure> {
    administer::with_client(global, async move |client, config| {
        let report = client.call(system::CheckStore {}).await?;
        if json {
            output::json(&report)?;
        } else {
            for problem in &report.problems {
                output::line(&format!("{} {problem}", output::tinted("wrong:", Tone::Bad)))?;
            }
            if report.ok {
                output::line(&format!("{} {}", output::tinted("good:", Tone::Good), config.data.display()))?;
            }
        }
        Ok(if report.ok { Exit::Done } else { Exit::No })
    })
}
