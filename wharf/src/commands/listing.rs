//! Reading a whole list page by page: the server filters, sorts and pages; this only goes on
//! until there are no more pages or the user's limit is reached.

use std::future::Future;

use wharf_proto::v1::{ListInfo, ListOptions};

use crate::{args::ListArgs, failure::Failure};

/// Rows asked for at once.
const PAGE: u32 = 500;

/// Reads every page. `fetch` asks for one page and gives its rows and what comes next.
pub(crate) async fn read_all<T, F, R>(args: &ListArgs, mut fetch: F) -> Result<Vec<T>, Failure>
where
    F: FnMut(ListOptions) -> R,
    R: Future<Output = Result<(Vec<T>, Option<ListInfo>), Failure>>,
{
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    let mut page_token = String::new();
    while rows.len() < limit {
        let wanted = u32::try_from(limit - rows.len()).unwrap_or(PAGE).min(PAGE);
        let (page, info) = fetch(ListOptions {
            page_size: wanted,
            page_token: std::mem::take(&mut page_token),
            filter: args.filter.clone(),
            order_by: args.sort.clone(),
        })
        .await?;
        rows.extend(page);
        page_token = info.map(|info| info.next_page_token).unwrap_or_default();
        if page_token.is_empty() {
            break;
        }
    }
    rows.truncate(limit);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(limit: Option<usize>) -> ListArgs {
        ListArgs {
            filter: String::new(),
            sort: String::new(),
            limit,
        }
    }

    async fn pages(options: ListOptions) -> Result<(Vec<u32>, Option<ListInfo>), Failure> {
        let start: u32 = options.page_token.parse().unwrap_or(0);
        let end = (start + options.page_size).min(1200);
        let next = if end < 1200 {
            end.to_string()
        } else {
            String::new()
        };
        Ok((
            (start..end).collect(),
            Some(ListInfo {
                next_page_token: next,
                total: 1200,
            }),
        ))
    }

    #[tokio::test]
    async fn every_page_is_read_once_and_in_order() {
        let rows = read_all(&args(None), pages).await.unwrap();
        assert_eq!(rows, (0..1200).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_asked_for() {
        assert_eq!(read_all(&args(Some(700)), pages).await.unwrap().len(), 700);
        assert_eq!(read_all(&args(Some(0)), pages).await.unwrap().len(), 0);
    }
}
