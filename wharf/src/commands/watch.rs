//! `wharf watch`: watches of a deployment, from the document to the history of its runs. Not here: how
//! they are printed (`watch_tables.rs`), what a document may hold (docs/guide/watches.md).

use wharf_proto::monitor::v1::{
    DeleteWatchRequest, DisableWatchRequest, EnableWatchRequest, GetWatchRequest, ListRunsRequest,
    ListWatchesRequest, PreviewWatchRequest, PutWatchRequest, RunOutcome, RunWatchRequest,
    TestWatchRequest, Watch, WatchRef, WatchRun, put_watch_request, watch_ref,
};

use super::{listing::read_all, watch_tables};
use crate::{
    args::{ListArgs, SpanArgs, WatchArgs, WatchCommand, WatchCreateArgs, WatchRefArgs},
    client::Client,
    failure::Failure,
    given,
    monitor::Monitor,
    print, times,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &WatchCommand) -> Result<u8, Failure> {
    match command {
        WatchCommand::List { monitor, list } => {
            let node = Monitor::of(client, &monitor.deployment).await?;
            watches(client, &node, list).await
        }
        WatchCommand::Show(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            show(client, &get(&node, &args.name).await?)
        }
        WatchCommand::Create(args) => create(client, args).await,
        WatchCommand::Edit(args) => edit(client, args).await,
        WatchCommand::Delete { watch, yes } => delete(client, watch, *yes).await,
        WatchCommand::Enable(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            let request = EnableWatchRequest {
                name: args.name.clone(),
                expected_version: String::new(),
            };
            let answer = node.watches().enable_watch(request).await;
            let watch = answer.map_err(|status| node.failed(status))?.into_inner();
            show(client, &watch)
        }
        WatchCommand::Disable(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            let request = DisableWatchRequest {
                name: args.name.clone(),
                expected_version: String::new(),
            };
            let answer = node.watches().disable_watch(request).await;
            let watch = answer.map_err(|status| node.failed(status))?.into_inner();
            show(client, &watch)
        }
        WatchCommand::Run(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            let name = args.name.clone();
            let answer = node.watches().run_watch(RunWatchRequest { name }).await;
            let run = answer.map_err(|status| node.failed(status))?.into_inner();
            judged(client, &run)
        }
        WatchCommand::Test { watch, at } => {
            let at = at
                .as_deref()
                .map(|text| times::time(text, client.now_ms()))
                .transpose()?;
            let request = TestWatchRequest {
                watch: Some(named_or_given(watch)?),
                at,
            };
            let node = Monitor::of(client, &watch.monitor.deployment).await?;
            let answer = node.watches().test_watch(request).await;
            let run = answer.map_err(|status| node.failed(status))?.into_inner();
            judged(client, &run)
        }
        WatchCommand::Preview { watch, span } => preview(client, watch, span).await,
        WatchCommand::History {
            name,
            span,
            monitor,
            list,
        } => {
            let node = Monitor::of(client, &monitor.deployment).await?;
            history(client, &node, name, span, list).await
        }
    }
}

async fn get(node: &Monitor, name: &str) -> Result<Watch, Failure> {
    let request = GetWatchRequest {
        name: name.to_owned(),
    };
    let answer = node.watches().get_watch(request).await;
    Ok(answer.map_err(|status| node.failed(status))?.into_inner())
}

fn show(client: &Client, watch: &Watch) -> Result<u8, Failure> {
    let json = print::json(watch)?;
    print::result(client.output(), &json, || {
        watch_tables::watch(watch, client.now_ms())
    });
    Ok(0)
}

async fn watches(client: &Client, node: &Monitor, list: &ListArgs) -> Result<u8, Failure> {
    let watches = read_all(list, |options| async {
        let request = ListWatchesRequest {
            options: Some(options),
        };
        let answer = node.watches().list_watches(request).await;
        let page = answer.map_err(|status| node.failed(status))?.into_inner();
        Ok((page.watches, page.info))
    })
    .await?;
    let json = print::json_list(&watches)?;
    print::result(client.output(), &json, || {
        watch_tables::watches(&watches, client.now_ms())
    });
    Ok(0)
}

async fn put(
    node: &Monitor,
    document: String,
    expected_version: String,
    create: bool,
) -> Result<Watch, Failure> {
    let request = PutWatchRequest {
        watch: Some(put_watch_request::Watch::Document(document)),
        expected_version,
        create,
    };
    let answer = node.watches().put_watch(request).await;
    Ok(answer.map_err(|status| node.failed(status))?.into_inner())
}

async fn create(client: &Client, args: &WatchCreateArgs) -> Result<u8, Failure> {
    let document = given::document(&args.file)?;
    let node = Monitor::of(client, &args.monitor.deployment).await?;
    let watch = put(&node, document, String::new(), !args.replace).await?;
    show(client, &watch)
}

async fn edit(client: &Client, args: &WatchArgs) -> Result<u8, Failure> {
    let node = Monitor::of(client, &args.monitor.deployment).await?;
    let before = get(&node, &args.name).await?;
    let Some(edited) = given::edit(&args.name, &before.document)? else {
        print::remark("nothing was changed");
        return Ok(0);
    };
    match put_edited(&node, &before, edited.text.clone()).await {
        Ok(watch) => {
            edited.done();
            show(client, &watch)
        }
        Err(failure) => Err(edited.kept(failure)),
    }
}

/// Puts a document in the place of the one that was edited, unless that has changed meanwhile.
async fn put_edited(node: &Monitor, before: &Watch, text: String) -> Result<Watch, Failure> {
    // A shipped watch has no version to expect until somebody overrides it.
    if before.version.is_empty() {
        let now = get(node, &before.name).await?;
        if now.version != before.version {
            return Err(Failure::new(
                "CLI0015",
                format!("`{}` was changed by somebody else meanwhile", before.name),
                "edit it again",
            ));
        }
    }
    put(node, text, before.version.clone(), false).await
}

async fn delete(client: &Client, args: &WatchArgs, yes: bool) -> Result<u8, Failure> {
    given::confirm(
        yes,
        &format!("This deletes the watch `{}`", print::printable(&args.name)),
        &args.name,
    )?;
    let node = Monitor::of(client, &args.monitor.deployment).await?;
    let request = DeleteWatchRequest {
        name: args.name.clone(),
        expected_version: String::new(),
    };
    let answer = node.watches().delete_watch(request).await;
    let deleted = answer.map_err(|status| node.failed(status))?.into_inner();
    let json = print::json(&deleted)?;
    print::result(client.output(), &json, || {
        let name = print::printable(&args.name);
        match &deleted.shipped {
            Some(_) => {
                format!("changes to `{name}` deleted; the shipped watch is in force again\n")
            }
            None => format!("watch `{name}` deleted\n"),
        }
    });
    Ok(0)
}

fn named_or_given(args: &WatchRefArgs) -> Result<WatchRef, Failure> {
    let watch = match &args.file {
        Some(path) => watch_ref::Watch::Document(given::document(path)?),
        None => watch_ref::Watch::Name(args.name.clone().unwrap_or_default()),
    };
    Ok(WatchRef { watch: Some(watch) })
}

/// Prints a run; one that could not tell is a failure.
fn judged(client: &Client, run: &WatchRun) -> Result<u8, Failure> {
    let json = print::json(run)?;
    print::result(client.output(), &json, || watch_tables::run(run));
    if run.outcome() == RunOutcome::Error {
        return Err(Failure::new(
            &run.error_code,
            format!("the run of `{}` is in error: {}", run.watch, run.error),
            "see to the search or the condition; docs/guide/watches.md says when a run cannot tell",
        ));
    }
    Ok(0)
}

async fn preview(client: &Client, args: &WatchRefArgs, span: &SpanArgs) -> Result<u8, Failure> {
    let (from, to) = ends(client, span)?;
    let request = PreviewWatchRequest {
        watch: Some(named_or_given(args)?),
        from,
        to,
    };
    let node = Monitor::of(client, &args.monitor.deployment).await?;
    let answer = node.watches().preview_watch(request).await;
    let preview = answer.map_err(|status| node.failed(status))?.into_inner();
    let json = print::json(&preview)?;
    print::result(client.output(), &json, || watch_tables::preview(&preview));
    Ok(0)
}

type End = Option<prost_types::Timestamp>;

fn ends(client: &Client, span: &SpanArgs) -> Result<(End, End), Failure> {
    let end = |text: &Option<String>| {
        text.as_deref()
            .map(|text| times::time(text, client.now_ms()))
            .transpose()
    };
    Ok((end(&span.from)?, end(&span.to)?))
}

async fn history(
    client: &Client,
    node: &Monitor,
    name: &str,
    span: &SpanArgs,
    list: &ListArgs,
) -> Result<u8, Failure> {
    let (from, to) = ends(client, span)?;
    let runs = read_all(list, |options| async {
        let request = ListRunsRequest {
            watch: name.to_owned(),
            from,
            to,
            options: Some(options),
        };
        let answer = node.watches().list_runs(request).await;
        let page = answer.map_err(|status| node.failed(status))?.into_inner();
        Ok((page.runs, page.info))
    })
    .await?;
    let json = print::json_list(&runs)?;
    print::result(client.output(), &json, || watch_tables::history(&runs));
    Ok(0)
}
