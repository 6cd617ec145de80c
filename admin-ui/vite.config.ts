import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// The kit's fonts are another product's face, and its icon fonts are not used.
function withoutKitFonts(): Plugin {
  return {
    name: 'without-kit-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('@patternfly') || !id.split('?')[0]?.endsWith('.css')) return null;
      return { code: code.replace(/@font-face\s*\{[^}]*\}/g, ''), map: null };
    },
  };
}

// Compressed once here, so that the director never compresses while it serves.
function precompressed(): Plugin {
  let folder = 'dist';
  return {
    name: 'precompressed',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const walk = (path: string): void => {
        for (const name of readdirSync(path)) {
          const file = join(path, name);
          if (statSync(file).isDirectory()) walk(file);
          else if (/\.(js|css|svg)$/.test(name)) {
            const raw = readFileSync(file);
            writeFileSync(`${file}.gz`, gzipSync(raw, { level: 9 }));
            writeFileSync(
              `${file}.br`,
              brotliCompressSync(raw, {
                params: {
                  [constants.BROTLI_PARAM_QUALITY]: 11,
                  [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
                },
              }),
            );
          }
        }
      };
      walk(folder);
    },
  };
}

export default defineConfig({
  plugins: [withoutKitFonts(), react(), precompressed()],
  // The director puts a fresh nonce into each answer.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    modulePreload: { polyfill: false },
  },
});
