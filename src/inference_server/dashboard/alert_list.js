const SEVERITY = { 1: "High", 2: "Medium", 3: "Low" };

export default {
  template: `
    <div class="alerts">
      <div v-if="!rows.length" class="empty"><b>No alerts</b>{{ empty }}</div>
      <table v-else class="alert-table">
        <caption class="visually-hidden">Alerts, newest first</caption>
        <thead><tr>
          <th scope="col">Severity</th><th scope="col">Attack</th><th scope="col">From</th><th scope="col">To</th>
          <th scope="col" class="num">Flows</th><th scope="col" class="num">Certainty</th><th scope="col" class="num">Last seen</th><th scope="col">State</th>
        </tr></thead>
        <tbody>
          <tr v-for="row in rows" :key="row.id" :class="{ fresh: fresh(row), seen: row.acknowledged }" :data-id="row.id">
            <td class="a-severity"><span class="chip" :class="'severity-' + row.severity">{{ severity(row) }}</span></td>
            <td class="a-label"><button type="button" class="row-open" @click="$emit('open', row.id)" aria-haspopup="dialog">{{ row.label }}</button></td>
            <td class="a-from mono"><span class="a-word">from </span>{{ end(row.src_ip) }}</td>
            <td class="a-to mono"><span class="a-word">to </span>{{ end(row.dst_ip, row.dst_port) }}<span class="a-proto muted" v-if="row.proto">{{ proto(row) }}</span></td>
            <td class="a-count num">{{ row.count.toLocaleString("en") }}<span class="a-word a-flows">{{ row.count === 1 ? "flow" : "flows" }}</span></td>
            <td class="a-p num">{{ row.p_attack_max === null ? "–" : (100 * row.p_attack_max).toFixed(1) + " %" }}</td>
            <td class="a-time num"><time :datetime="row.time" :title="row.time">{{ when(row.time) }}</time></td>
            <td class="a-state"><span v-if="row.feedback" :class="row.feedback.verdict === 'false_positive' ? 'good' : 'bad'">{{ row.feedback.verdict === "false_positive" ? "False alarm" : "Confirmed" }}</span>
              <span v-else-if="row.acknowledged" class="muted">Seen</span>
              <span v-else-if="row.state === 'open'" class="ongoing">Ongoing</span><span v-else class="muted">Over</span></td>
          </tr>
        </tbody>
      </table>
    </div>`,
  props: { rows: Array, empty: String },
  data: () => ({ known: null, newest: 0, now: Date.now() }),
  mounted() {
    this.newest = Math.max(0, ...this.rows.map((row) => row.seq));
    this.clock = setInterval(() => (this.now = Date.now()), 10000);
  },
  unmounted() {
    clearInterval(this.clock);
  },
  methods: {
    severity: (row) => SEVERITY[row.severity],
    fresh(row) {
      return row.seq > this.newest;
    },
    end: (address, port) => (address === null ? "unknown" : port === undefined || port === null ? address : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`),
    proto: (row) => ({ 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP" })[row.proto] || row.proto,
    when(text) {
      const then = new Date(text), old = this.now - then;
      if (old < 86400000 && then.getDate() === new Date(this.now).getDate()) return then.toLocaleTimeString("en-GB");
      return then.toLocaleDateString("en-CA") + " " + then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    },
  },
};
