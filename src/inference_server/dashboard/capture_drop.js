export default {
  template: `
    <form class="drop" :class="{ over: over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="drop" @submit.prevent>
      <input ref="file" class="visually-hidden" :id="'file-' + uid" type="file" :disabled="sending !== null" @change="choose" accept=".pcap,.pcapng,.cap,.gz,.zst">
      <label :for="'file-' + uid" class="drop-label">
        <svg viewBox="0 0 24 24" width="28" height="28" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3"/></svg>
        <span v-if="sending === null"><b>Drop a capture here, or choose one</b><span class="muted small">pcap or pcapng, also .gz or .zst, up to {{ limit }}</span></span>
        <span v-else><b>Sending {{ sending }}</b><span class="muted small">{{ Math.round(100 * sent) }} %</span></span>
      </label>
      <progress v-if="sending !== null" :value="sent" max="1" :aria-label="'Sending ' + sending"></progress>
      <p v-if="problem" class="problem" role="alert">{{ problem }}</p>
    </form>`,
  props: { target: String, limit: String },
  data: () => ({ over: false, sending: null, sent: 0, problem: "", uid: Math.random().toString(36).slice(2) }),
  methods: {
    drop(event) {
      this.over = false;
      if (event.dataTransfer.files.length && this.sending === null) this.send(event.dataTransfer.files[0]);
    },
    choose(event) {
      if (event.target.files.length) this.send(event.target.files[0]);
    },
    send(file) {
      this.problem = "";
      this.sending = file.name;
      this.sent = 0;
      const request = new XMLHttpRequest();
      request.open("PUT", `${window.path_prefix}${this.target}?name=${encodeURIComponent(file.name)}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (event) => (this.sent = event.total ? event.loaded / event.total : 0);
      request.onload = () => {
        this.done();
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {}
        if (request.status === 202) this.$emit("taken", answer.id);
        else this.problem = answer.detail || `The capture was not taken (${request.status}).`;
      };
      request.onerror = () => {
        this.done();
        this.problem = "The connection broke while the capture was sent.";
      };
      request.send(file);
    },
    done() {
      this.sending = null;
      this.$refs.file.value = "";
    },
  },
};
