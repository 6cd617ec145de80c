//! `wharf top`: a live table of every container of every host. Read from the director's memory, so
//! it works while the store is down. What the table looks like is in `view`, what it holds and how
//! keys change it in `model`.

mod model;
mod view;

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use crossterm::event::{self, Event, KeyEventKind};
use wharf_proto::v1::Container;

use crate::{
    args::{ListArgs, Output, TopArgs},
    client::Client,
    commands::{attention::Attention, container},
    failure::Failure,
    print,
};
use model::{After, Model};

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &TopArgs) -> Result<u8, Failure> {
    let mut model = Model::new(args.sort, filter(&args.filter));
    model.show(read(client, &model).await?);
    model.show_hosts(Attention::hosts(client).await.line());
    let live = !args.once && client.output() == Output::Table;
    if !live {
        let rows: Vec<Container> = model.rows().into_iter().cloned().collect();
        let json = print::json_list(&rows)?;
        print::result(client.output(), &json, || view::page(&model));
        return Ok(0);
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            "CLI0010",
            "a live table needs a terminal",
            "wharf top --once, or -o json",
        ));
    }
    let mut terminal = ratatui::init();
    let result = live_table(client, args, &mut model, &mut terminal).await;
    ratatui::restore();
    result.map(|()| 0)
}

/// A bare word of the command line matches names, as people expect of a filter.
fn filter(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.contains(['=', '~']) {
        text.to_owned()
    } else {
        format!("name~{text}")
    }
}

async fn read(client: &Client, model: &Model) -> Result<Vec<Container>, Failure> {
    let args = ListArgs {
        filter: filter(model.filter()),
        sort: String::new(),
        limit: None,
    };
    container::all(client, &args).await
}

async fn live_table(
    client: &Client,
    args: &TopArgs,
    model: &mut Model,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), Failure> {
    let broken = |error: std::io::Error| {
        Failure::new(
            "CLI0010",
            format!("the terminal cannot be used: {error}"),
            "wharf top --once",
        )
    };
    let interval = Duration::from_secs(args.interval);
    let mut read_at = Instant::now();
    loop {
        terminal
            .draw(|frame| view::draw(frame, model))
            .map_err(broken)?;
        let due = interval.saturating_sub(read_at.elapsed());
        // Waiting for a key must not hold up a runtime thread.
        let key = tokio::task::spawn_blocking(move || {
            if event::poll(due)? {
                event::read().map(Some)
            } else {
                Ok(None)
            }
        })
        .await
        .map_err(|error| Failure::new("CLI0010", error.to_string(), ""))?
        .map_err(broken)?;
        let mut reread = read_at.elapsed() >= interval && !model.paused();
        if let Some(Event::Key(key)) = key
            && key.kind == KeyEventKind::Press
        {
            match model.key(key) {
                After::Quit => return Ok(()),
                After::Read => reread = true,
                After::Draw => {}
            }
        }
        if reread {
            match read(client, model).await {
                Ok(rows) => {
                    model.show(rows);
                    model.show_hosts(Attention::hosts(client).await.line());
                }
                Err(failure) => model.complain(failure.message),
            }
        }
        if read_at.elapsed() >= interval || reread {
            read_at = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_word_filters_by_name_and_an_expression_stays() {
        assert_eq!(filter("web"), "name~web");
        assert_eq!(filter("application=web"), "application=web");
        assert_eq!(filter("  "), "");
    }
}
