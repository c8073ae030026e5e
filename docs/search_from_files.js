// Search in pages that were opened as files: a browser starts no worker for them, so that what would
// be a worker runs in a frame that nobody sees.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(script) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.documentElement.append(frame);
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.tell(this, MessageEvent, data);
      const element = this.inside.document.createElement("script");
      this.ready = new Promise((resolve) => (element.onload = resolve));
      element.src = script;
      this.inside.document.documentElement.append(element);
    }

    tell(target, Event, data) {
      const event = new Event("message", { data });
      target.dispatchEvent(event);
      target.onmessage?.(event);
    }

    async postMessage(data) {
      await this.ready;
      this.tell(this.inside, this.inside.MessageEvent, data);
    }

    terminate() {}
  };
}
