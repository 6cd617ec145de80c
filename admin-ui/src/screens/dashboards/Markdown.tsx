// The tree of a text panel as elements.
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { hasPage } from '../../api/serves';
import { type Block, type Inline, parseMarkdown } from './parse-markdown';

function Words({ of }: { of: readonly Inline[] }): ReactNode {
  return of.map((one, at) => {
    // The parts of a text have no other name than their place.
    const key = `${at}`;
    switch (one.kind) {
      case 'text':
        return <span key={key}>{one.text}</span>;
      case 'code':
        return <code key={key}>{one.text}</code>;
      case 'strong':
        return (
          <strong key={key}>
            <Words of={one.inside} />
          </strong>
        );
      case 'em':
        return (
          <em key={key}>
            <Words of={one.inside} />
          </em>
        );
      default:
        if (one.to.startsWith('/') && !hasPage(one.to)) return <Words key={key} of={one.inside} />;
        return one.to.startsWith('/') ? (
          <Link key={key} to={one.to}>
            <Words of={one.inside} />
          </Link>
        ) : (
          <a key={key} href={one.to} target="_blank" rel="noreferrer noopener">
            <Words of={one.inside} />
          </a>
        );
    }
  });
}

function Part({ of }: { of: Block }) {
  switch (of.kind) {
    case 'heading': {
      // Below the panel's own heading.
      const Head = of.level === 2 ? 'h4' : of.level === 3 ? 'h5' : 'h6';
      return (
        <Head>
          <Words of={of.inside} />
        </Head>
      );
    }
    case 'list': {
      const List = of.ordered ? 'ol' : 'ul';
      return (
        <List>
          {of.items.map((item, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: items have no other name than their place
            <li key={at}>
              <Words of={item} />
            </li>
          ))}
        </List>
      );
    }
    case 'code':
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre tabIndex={0}>{of.text}</pre>
      );
    case 'rule':
      return <hr />;
    case 'quote':
      return (
        <blockquote>
          <Words of={of.inside} />
        </blockquote>
      );
    default:
      return (
        <p>
          <Words of={of.inside} />
        </p>
      );
  }
}

export function Markdown({ text }: { text: string }) {
  return (
    <div className="markdown">
      {parseMarkdown(text).map((block, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks have no other name than their place
        <Part key={at} of={block} />
      ))}
    </div>
  );
}
