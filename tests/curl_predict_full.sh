#!/bin/sh
# Posts a complete flow to POST /predict: usage: tests/curl_predict_full.sh [http://127.0.0.1:8000]
# With API_KEYS on the server: API_KEY=... tests/curl_predict_full.sh
set -eu
url="${1:-http://127.0.0.1:8000}"

curl --silent --show-error --fail-with-body --max-time 10 \
  -H 'Content-Type: application/json' ${API_KEY:+-H "X-API-Key: $API_KEY"} \
  --data @- "$url/predict" <<'FLOW'
{
  "src_ip": "192.168.10.50", "src_port": 51234, "dst_ip": "192.168.10.3", "dst_port": 443, "protocol": 6,
  "timestamp": "2017-07-07 13:00:00.401000", "flow_duration": 406000, "tot_fwd_pkts": 6, "tot_bwd_pkts": 3,
  "totlen_fwd_pkts": 33, "totlen_bwd_pkts": 0, "fwd_pkt_len_max": 33, "fwd_pkt_len_min": 0,
  "fwd_pkt_len_mean": 5.5, "fwd_pkt_len_std": 13.47219358530748, "bwd_pkt_len_max": 0,
  "bwd_pkt_len_min": 0, "bwd_pkt_len_mean": 0.0, "bwd_pkt_len_std": 0.0, "flow_byts_s": 81.2807881773399,
  "flow_pkts_s": 22.167487684729064, "flow_iat_mean": 50750.0, "flow_iat_std": 92119.09992736888,
  "flow_iat_max": 200000, "flow_iat_min": 1000, "fwd_iat_tot": 406000, "fwd_iat_mean": 81200.0,
  "fwd_iat_std": 109364.98525579383, "fwd_iat_max": 202000, "fwd_iat_min": 1000, "bwd_iat_tot": 404000,
  "bwd_iat_mean": 202000.0, "bwd_iat_std": 2828.42712474619, "bwd_iat_max": 204000, "bwd_iat_min": 200000,
  "fwd_psh_flags": 1, "bwd_psh_flags": 0, "fwd_urg_flags": 0, "bwd_urg_flags": 0, "fwd_header_len": 140,
  "bwd_header_len": 80, "fwd_pkts_s": 14.778325123152708, "bwd_pkts_s": 7.389162561576354,
  "pkt_len_min": 0, "pkt_len_max": 33, "pkt_len_mean": 3.6666666666666665, "pkt_len_std": 11.0,
  "pkt_len_var": 121.0, "fin_flag_cnt": 4, "syn_flag_cnt": 2, "rst_flag_cnt": 0, "psh_flag_cnt": 1,
  "ack_flag_cnt": 8, "urg_flag_cnt": 0, "cwe_flag_count": 0, "ece_flag_cnt": 0, "down_up_ratio": 0.5,
  "pkt_size_avg": 3.6666666666666665, "fwd_seg_size_avg": 5.5, "bwd_seg_size_avg": 0.0,
  "fwd_byts_b_avg": 0, "fwd_pkts_b_avg": 0, "fwd_blk_rate_avg": 0, "bwd_byts_b_avg": 0,
  "bwd_pkts_b_avg": 0, "bwd_blk_rate_avg": 0, "subflow_fwd_pkts": 0, "subflow_fwd_byts": 3,
  "subflow_bwd_pkts": 0, "subflow_bwd_byts": 0, "init_fwd_win_byts": 64240, "init_bwd_win_byts": 509,
  "fwd_act_data_pkts": 1, "fwd_seg_size_min": 20, "active_mean": 0.0, "active_std": 0.0, "active_max": 0,
  "active_min": 0, "idle_mean": 0.0, "idle_std": 0.0, "idle_max": 0, "idle_min": 0
}
FLOW
echo
