/** How the report looks. Invariant: follows the reader's light or dark setting; nothing is loaded from elsewhere. */

export const reportStyle = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --paper: #fcfcfd; --card: #fff; --line: #d9dce1;
  --fp32: #0b68cb; --fp16: #8e4ec6; --int8: #18794e; --accent: #0b68cb; --range: #0b68cb22; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --paper: #111113; --card: #18191b;
  --line: #363a3f; --fp32: #70b8ff; --fp16: #d19dff; --int8: #3dd68c; --accent: #70b8ff; --range: #70b8ff2b; } }
* { box-sizing: border-box }
body { margin: 0; overflow-wrap: anywhere; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.6rem; margin: 0 0 .2rem } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem }
p, figcaption { color: var(--soft); margin: .3rem 0 .8rem } code, pre { font: 13px/1.45 ui-monospace, monospace }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: .8rem; margin: 1rem 0 }
.answer { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem }
.answer strong { display: block; font-size: 1.5rem; line-height: 1.3 } .answer p { margin: 0 }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { overflow-wrap: normal; text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
th { color: var(--soft); font-weight: 600 } .number { text-align: right } .reason { white-space: normal }
svg { display: block; width: 100%; height: auto } .plot, .bars { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem }
.grid { stroke: var(--line) } .baseline { stroke: var(--soft); stroke-dasharray: 5 4 } .front { fill: none; stroke: var(--soft); stroke-width: 1.5 }
.tick, .axis { fill: var(--soft); font-size: 12px } .axis { font-size: 13px }
.point { stroke: var(--card); stroke-width: 1.5; fill-opacity: .85 } .point.beaten { fill-opacity: .3 }
.fp32 { fill: var(--fp32) } .fp16 { fill: var(--fp16) } .int8 { fill: var(--int8) } .bar { fill: var(--accent) } .range { fill: var(--range) }
.legend { display: flex; gap: 1.2rem; flex-wrap: wrap } .legend span::before { content: ''; display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em; background: var(--own) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1rem } figure { margin: 0 }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; margin-bottom: 1.2rem } .pair img { width: 100%; border-radius: 6px; display: block }
`
