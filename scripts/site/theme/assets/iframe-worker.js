// Pages that are opened from disk cannot start a Worker. This one runs its script in a hidden frame
// instead, so that the search works there as well.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.appendChild(frame)
      this.frame = frame
      const scope = frame.contentWindow
      scope.postMessage = data => {
        this.dispatchEvent(new MessageEvent("message", { data }))
        this.onmessage?.({ data })
      }
      scope.importScripts = (...urls) => urls.reduce(
        (done, one) => done.then(() => this.load(new URL(one, url))), Promise.resolve()
      )
      this.ready = this.load(url)
    }

    load(url) {
      return new Promise((resolve, reject) => {
        const script = this.frame.contentDocument.createElement("script")
        script.src = url
        script.onload = resolve
        script.onerror = reject
        this.frame.contentDocument.body.appendChild(script)
      })
    }

    postMessage(data) {
      this.ready.then(() => {
        this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }))
      })
    }

    terminate() {
      this.frame.remove()
    }
  }
}
