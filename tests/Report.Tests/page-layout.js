/* Measures a page of kprobe-report that stands in a frame, and tells the document around it what is wrong. */
'use strict';
(() => {
  const faults = [];
  const fault = text => { if (faults.length < 20) faults.push(text); };
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) fault('the page is ' + root.scrollWidth + ' pixels wide where ' + root.clientWidth + ' are there');

  /* Where each text is drawn, cut to what its ancestors let be seen. */
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest('script, template, style, [hidden], #lines, #flame')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects()) {
      let box = { left: r.left, right: r.right, top: r.top, bottom: r.bottom };
      for (let e = parent; e; e = e.parentElement) {
        const style = getComputedStyle(e);
        if (style.display === 'inline' || (style.overflowX === 'visible' && style.overflowY === 'visible')) continue;
        const c = e.getBoundingClientRect();
        box = { left: Math.max(box.left, c.left), right: Math.min(box.right, c.right), top: Math.max(box.top, c.top), bottom: Math.min(box.bottom, c.bottom) };
      }
      if (box.right - box.left > 1 && box.bottom - box.top > 1) texts.push({ ...box, parent, text: node.data.trim().slice(0, 30) });
    }
  }
  for (let i = 0; i < texts.length; i++) {
    for (let j = i + 1; j < texts.length; j++) {
      const a = texts[i], b = texts[j];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      /* Line boxes of one paragraph touch by the rounding of their height. */
      if (a.parent !== b.parent && wide > 1 && high > 3) fault("'" + a.text + "' and '" + b.text + "' overlap");
    }
  }

  /* A name may go on in the next line behind punctuation only. */
  for (const cell of document.querySelectorAll('td.code, figcaption, #title')) {
    let before = '', bottom = 0;
    const letters = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (letters.nextNode()) {
      const node = letters.currentNode;
      for (let i = 0; i < node.length; i++) {
        const range = document.createRange();
        range.setStart(node, i);
        range.setEnd(node, i + 1);
        const r = range.getBoundingClientRect();
        if (before && r.top >= bottom && /[A-Za-z0-9]/.test(before) && /[A-Za-z0-9]/.test(node.data[i])) fault("'" + cell.textContent + "' is torn behind '" + before + "'");
        if (r.height) { before = node.data[i]; bottom = r.top + r.height / 2; }
      }
    }
  }

  const timeline = document.getElementById('timeline').getBoundingClientRect();
  const plots = [...document.querySelectorAll('#timeline canvas')].map(c => c.getBoundingClientRect().width);
  if (!plots.length) fault('the timeline has no row');
  for (const width of plots) if (width < 0.6 * timeline.width) fault('a row of the timeline has ' + width + ' of ' + timeline.width + ' pixels');
  const ticks = document.querySelectorAll('#timeline .axis span').length;
  if (ticks < 2) fault('the time axis has ' + ticks + ' labels');

  parent.postMessage('width ' + innerWidth + ', ' + texts.length + ' texts\n' + faults.join('\n'), '*');
})();
