"""What a flow's features are: one table, every data set's spelling.

The canonical names are those of CSE-CIC-IDS2018 in snake case. Formulas are those of the dialect
`improved`; other dialects differ where the flow meter's documentation says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Kind = Literal["int", "float"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its canonical name, unit, formula and the spelling of every data set.

    `cic_v4` is the spelling of CICFlowMeter V4, CIC-UNSW-NB15 and the improved set; an empty
    spelling means that the set does not have the feature. `python` is PyPI cicflowmeter's key.
    """

    name: str
    unit: str
    kind: Kind
    formula: str
    cic_2017: str
    cic_2018: str
    cic_v4: str
    python: str = ""

    @property
    def python_key(self) -> str:
        """The key PyPI cicflowmeter uses, which is the canonical name unless it differs."""
        return self.python or self.name

    @property
    def seconds_in_python(self) -> bool:
        """Whether PyPI cicflowmeter 0.5 gives this feature in seconds instead of microseconds."""
        return self.unit == "us"


# fmt: off
COMMON: tuple[Feature, ...] = (
    Feature("flow_duration", "us", "int", "last packet time - first packet time",
            "Flow Duration", "Flow Duration", "Flow Duration"),
    Feature("tot_fwd_pkts", "packets", "int", "forward packets",
            "Total Fwd Packets", "Tot Fwd Pkts", "Total Fwd Packet"),
    Feature("tot_bwd_pkts", "packets", "int", "backward packets",
            "Total Backward Packets", "Tot Bwd Pkts", "Total Bwd packets"),
    Feature("totlen_fwd_pkts", "bytes", "int", "sum of forward payload lengths",
            "Total Length of Fwd Packets", "TotLen Fwd Pkts", "Total Length of Fwd Packet"),
    Feature("totlen_bwd_pkts", "bytes", "int", "sum of backward payload lengths",
            "Total Length of Bwd Packets", "TotLen Bwd Pkts", "Total Length of Bwd Packet"),
    Feature("fwd_pkt_len_max", "bytes", "int", "largest forward payload length, 0 without packets",
            "Fwd Packet Length Max", "Fwd Pkt Len Max", "Fwd Packet Length Max"),
    Feature("fwd_pkt_len_min", "bytes", "int", "smallest forward payload length, 0 without packets",
            "Fwd Packet Length Min", "Fwd Pkt Len Min", "Fwd Packet Length Min"),
    Feature("fwd_pkt_len_mean", "bytes", "float", "mean of forward payload length, 0 without packets",
            "Fwd Packet Length Mean", "Fwd Pkt Len Mean", "Fwd Packet Length Mean"),
    Feature("fwd_pkt_len_std", "bytes", "float",
            "sample std (n - 1) of forward payload length, 0 without packets",
            "Fwd Packet Length Std", "Fwd Pkt Len Std", "Fwd Packet Length Std"),
    Feature("bwd_pkt_len_max", "bytes", "int", "largest backward payload length, 0 without packets",
            "Bwd Packet Length Max", "Bwd Pkt Len Max", "Bwd Packet Length Max"),
    Feature("bwd_pkt_len_min", "bytes", "int", "smallest backward payload length, 0 without packets",
            "Bwd Packet Length Min", "Bwd Pkt Len Min", "Bwd Packet Length Min"),
    Feature("bwd_pkt_len_mean", "bytes", "float", "mean of backward payload length, 0 without packets",
            "Bwd Packet Length Mean", "Bwd Pkt Len Mean", "Bwd Packet Length Mean"),
    Feature("bwd_pkt_len_std", "bytes", "float",
            "sample std (n - 1) of backward payload length, 0 without packets",
            "Bwd Packet Length Std", "Bwd Pkt Len Std", "Bwd Packet Length Std"),
    Feature("flow_byts_s", "bytes/s", "float", "payload bytes / duration; inf or NaN when the duration is 0",
            "Flow Bytes/s", "Flow Byts/s", "Flow Bytes/s"),
    Feature("flow_pkts_s", "1/s", "float", "packets / duration; inf when the duration is 0",
            "Flow Packets/s", "Flow Pkts/s", "Flow Packets/s"),
    Feature("flow_iat_mean", "us", "float", "mean of gap between packets, NaN for one packet",
            "Flow IAT Mean", "Flow IAT Mean", "Flow IAT Mean"),
    Feature("flow_iat_std", "us", "float", "sample std (n - 1) of gap between packets, NaN for one packet",
            "Flow IAT Std", "Flow IAT Std", "Flow IAT Std"),
    Feature("flow_iat_max", "us", "int", "largest gap between packets, NaN for one packet",
            "Flow IAT Max", "Flow IAT Max", "Flow IAT Max"),
    Feature("flow_iat_min", "us", "int", "smallest gap between packets, NaN for one packet",
            "Flow IAT Min", "Flow IAT Min", "Flow IAT Min"),
    Feature("fwd_iat_tot", "us", "int", "sum of gaps between forward packets, 0 for fewer than two",
            "Fwd IAT Total", "Fwd IAT Tot", "Fwd IAT Total"),
    Feature("fwd_iat_mean", "us", "float", "mean of gap between forward packets, 0 for fewer than two",
            "Fwd IAT Mean", "Fwd IAT Mean", "Fwd IAT Mean"),
    Feature("fwd_iat_std", "us", "float",
            "sample std (n - 1) of gap between forward packets, 0 for fewer than two",
            "Fwd IAT Std", "Fwd IAT Std", "Fwd IAT Std"),
    Feature("fwd_iat_max", "us", "int", "largest gap between forward packets, 0 for fewer than two",
            "Fwd IAT Max", "Fwd IAT Max", "Fwd IAT Max"),
    Feature("fwd_iat_min", "us", "int", "smallest gap between forward packets, 0 for fewer than two",
            "Fwd IAT Min", "Fwd IAT Min", "Fwd IAT Min"),
    Feature("bwd_iat_tot", "us", "int", "sum of gaps between backward packets, 0 for fewer than two",
            "Bwd IAT Total", "Bwd IAT Tot", "Bwd IAT Total"),
    Feature("bwd_iat_mean", "us", "float", "mean of gap between backward packets, 0 for fewer than two",
            "Bwd IAT Mean", "Bwd IAT Mean", "Bwd IAT Mean"),
    Feature("bwd_iat_std", "us", "float",
            "sample std (n - 1) of gap between backward packets, 0 for fewer than two",
            "Bwd IAT Std", "Bwd IAT Std", "Bwd IAT Std"),
    Feature("bwd_iat_max", "us", "int", "largest gap between backward packets, 0 for fewer than two",
            "Bwd IAT Max", "Bwd IAT Max", "Bwd IAT Max"),
    Feature("bwd_iat_min", "us", "int", "smallest gap between backward packets, 0 for fewer than two",
            "Bwd IAT Min", "Bwd IAT Min", "Bwd IAT Min"),
    Feature("fwd_psh_flags", "packets", "int", "forward packets with PSH",
            "Fwd PSH Flags", "Fwd PSH Flags", "Fwd PSH Flags"),
    Feature("bwd_psh_flags", "packets", "int", "backward packets with PSH",
            "Bwd PSH Flags", "Bwd PSH Flags", "Bwd PSH Flags"),
    Feature("fwd_urg_flags", "packets", "int", "forward packets with URG",
            "Fwd URG Flags", "Fwd URG Flags", "Fwd URG Flags"),
    Feature("bwd_urg_flags", "packets", "int", "backward packets with URG",
            "Bwd URG Flags", "Bwd URG Flags", "Bwd URG Flags"),
    Feature("fwd_header_len", "bytes", "int", "sum of forward layer-4 header lengths",
            "Fwd Header Length", "Fwd Header Len", "Fwd Header Length"),
    Feature("bwd_header_len", "bytes", "int", "sum of backward layer-4 header lengths",
            "Bwd Header Length", "Bwd Header Len", "Bwd Header Length"),
    Feature("fwd_pkts_s", "1/s", "float", "forward packets / duration; 0 when the duration is 0",
            "Fwd Packets/s", "Fwd Pkts/s", "Fwd Packets/s"),
    Feature("bwd_pkts_s", "1/s", "float", "backward packets / duration; 0 when the duration is 0",
            "Bwd Packets/s", "Bwd Pkts/s", "Bwd Packets/s"),
    Feature("pkt_len_min", "bytes", "int", "smallest payload length",
            "Min Packet Length", "Pkt Len Min", "Packet Length Min"),
    Feature("pkt_len_max", "bytes", "int", "largest payload length",
            "Max Packet Length", "Pkt Len Max", "Packet Length Max"),
    Feature("pkt_len_mean", "bytes", "float", "mean of payload length",
            "Packet Length Mean", "Pkt Len Mean", "Packet Length Mean"),
    Feature("pkt_len_std", "bytes", "float", "sample std (n - 1) of payload length",
            "Packet Length Std", "Pkt Len Std", "Packet Length Std"),
    Feature("pkt_len_var", "bytes^2", "float", "sample variance (n - 1) of payload length",
            "Packet Length Variance", "Pkt Len Var", "Packet Length Variance"),
    Feature("fin_flag_cnt", "packets", "int", "packets with FIN",
            "FIN Flag Count", "FIN Flag Cnt", "FIN Flag Count"),
    Feature("syn_flag_cnt", "packets", "int", "packets with SYN",
            "SYN Flag Count", "SYN Flag Cnt", "SYN Flag Count"),
    Feature("rst_flag_cnt", "packets", "int", "packets with RST",
            "RST Flag Count", "RST Flag Cnt", "RST Flag Count"),
    Feature("psh_flag_cnt", "packets", "int", "packets with PSH",
            "PSH Flag Count", "PSH Flag Cnt", "PSH Flag Count"),
    Feature("ack_flag_cnt", "packets", "int", "packets with ACK",
            "ACK Flag Count", "ACK Flag Cnt", "ACK Flag Count"),
    Feature("urg_flag_cnt", "packets", "int", "packets with URG",
            "URG Flag Count", "URG Flag Cnt", "URG Flag Count"),
    Feature("cwe_flag_count", "packets", "int", "packets with CWR",
            "CWE Flag Count", "CWE Flag Count", "CWR Flag Count", python="cwr_flag_count"),
    Feature("ece_flag_cnt", "packets", "int", "packets with ECE",
            "ECE Flag Count", "ECE Flag Cnt", "ECE Flag Count"),
    Feature("down_up_ratio", "ratio", "float", "backward / forward packets, 0 without forward packets",
            "Down/Up Ratio", "Down/Up Ratio", "Down/Up Ratio"),
    Feature("pkt_size_avg", "bytes", "float", "payload bytes / packets",
            "Average Packet Size", "Pkt Size Avg", "Average Packet Size"),
    Feature("fwd_seg_size_avg", "bytes", "float", "mean of forward payload length, 0 without packets",
            "Avg Fwd Segment Size", "Fwd Seg Size Avg", "Fwd Segment Size Avg"),
    Feature("bwd_seg_size_avg", "bytes", "float", "mean of backward payload length, 0 without packets",
            "Avg Bwd Segment Size", "Bwd Seg Size Avg", "Bwd Segment Size Avg"),
    Feature("fwd_byts_b_avg", "bytes", "int", "forward bytes in bulks // bulks, 0 without one",
            "Fwd Avg Bytes/Bulk", "Fwd Byts/b Avg", "Fwd Bytes/Bulk Avg"),
    Feature("fwd_pkts_b_avg", "packets", "int", "forward packets in bulks // bulks, 0 without one",
            "Fwd Avg Packets/Bulk", "Fwd Pkts/b Avg", "Fwd Packet/Bulk Avg"),
    Feature("fwd_blk_rate_avg", "bytes/s", "int",
            "forward bytes in bulks / time in bulks, truncated, 0 without one",
            "Fwd Avg Bulk Rate", "Fwd Blk Rate Avg", "Fwd Bulk Rate Avg"),
    Feature("bwd_byts_b_avg", "bytes", "int", "backward bytes in bulks // bulks, 0 without one",
            "Bwd Avg Bytes/Bulk", "Bwd Byts/b Avg", "Bwd Bytes/Bulk Avg"),
    Feature("bwd_pkts_b_avg", "packets", "int", "backward packets in bulks // bulks, 0 without one",
            "Bwd Avg Packets/Bulk", "Bwd Pkts/b Avg", "Bwd Packet/Bulk Avg"),
    Feature("bwd_blk_rate_avg", "bytes/s", "int",
            "backward bytes in bulks / time in bulks, truncated, 0 without one",
            "Bwd Avg Bulk Rate", "Bwd Blk Rate Avg", "Bwd Bulk Rate Avg"),
    Feature("subflow_fwd_pkts", "packets", "int", "forward packets // packets of the flow",
            "Subflow Fwd Packets", "Subflow Fwd Pkts", "Subflow Fwd Packets"),
    Feature("subflow_fwd_byts", "bytes", "int", "forward payload bytes // packets of the flow",
            "Subflow Fwd Bytes", "Subflow Fwd Byts", "Subflow Fwd Bytes"),
    Feature("subflow_bwd_pkts", "packets", "int", "backward packets // packets of the flow",
            "Subflow Bwd Packets", "Subflow Bwd Pkts", "Subflow Bwd Packets"),
    Feature("subflow_bwd_byts", "bytes", "int", "backward payload bytes // packets of the flow",
            "Subflow Bwd Bytes", "Subflow Bwd Byts", "Subflow Bwd Bytes"),
    Feature("init_fwd_win_byts", "bytes", "int", "TCP window of the first packet when it is forward, else 0",
            "Init_Win_bytes_forward", "Init Fwd Win Byts", "FWD Init Win Bytes"),
    Feature("init_bwd_win_byts", "bytes", "int", "TCP window of the last backward packet, 0 without one",
            "Init_Win_bytes_backward", "Init Bwd Win Byts", "Bwd Init Win Bytes"),
    Feature("fwd_act_data_pkts", "packets", "int",
            "forward packets with payload, the first packet of the flow excluded",
            "act_data_pkt_fwd", "Fwd Act Data Pkts", "Fwd Act Data Pkts"),
    Feature("fwd_seg_size_min", "bytes", "int",
            "smallest forward layer-4 header length, 0 when the first packet is backward",
            "min_seg_size_forward", "Fwd Seg Size Min", "Fwd Seg Size Min"),
    Feature("active_mean", "us", "float", "mean of active period between idle gaps, 0 without one",
            "Active Mean", "Active Mean", "Active Mean"),
    Feature("active_std", "us", "float",
            "sample std (n - 1) of active period between idle gaps, 0 without one",
            "Active Std", "Active Std", "Active Std"),
    Feature("active_max", "us", "int", "largest active period between idle gaps, 0 without one",
            "Active Max", "Active Max", "Active Max"),
    Feature("active_min", "us", "int", "smallest active period between idle gaps, 0 without one",
            "Active Min", "Active Min", "Active Min"),
    Feature("idle_mean", "us", "float", "mean of idle gap (over 5 s), 0 without one",
            "Idle Mean", "Idle Mean", "Idle Mean"),
    Feature("idle_std", "us", "float", "sample std (n - 1) of idle gap (over 5 s), 0 without one",
            "Idle Std", "Idle Std", "Idle Std"),
    Feature("idle_max", "us", "int", "largest idle gap (over 5 s), 0 without one",
            "Idle Max", "Idle Max", "Idle Max"),
    Feature("idle_min", "us", "int", "smallest idle gap (over 5 s), 0 without one",
            "Idle Min", "Idle Min", "Idle Min"),
)

IMPROVED_EXTRA: tuple[Feature, ...] = (
    Feature("fwd_rst_flags", "packets", "int", "forward packets with RST, the first packet excluded",
            "", "", "Fwd RST Flags"),
    Feature("bwd_rst_flags", "packets", "int", "backward packets with RST, the first packet excluded",
            "", "", "Bwd RST Flags"),
    Feature("icmp_code", "code", "int", "ICMP code of the first packet, -1 otherwise", "", "", "ICMP Code"),
    Feature("icmp_type", "code", "int", "ICMP type of the first packet, -1 otherwise", "", "", "ICMP Type"),
    Feature("total_tcp_flow_time", "us", "int",
            "duration of the TCP connection, earlier time-out cuts included, 0 for what is not TCP",
            "", "", "Total TCP Flow Time"),
)

IMPROVED_2024_EXTRA: tuple[Feature, ...] = (
    Feature("total_connection_flow_time", "us", "int",
            "duration of the TCP connection or UDP dialogue, earlier time-out cuts included, else 0",
            "", "", "Total Connection Flow Time"),
    Feature("bwd_act_data_pkts", "packets", "int", "backward packets with payload",
            "", "", "Bwd Act Data Pkts"),
    Feature("bwd_seg_size_min", "bytes", "int",
            "smallest backward layer-4 header length, 0 when the first packet is forward",
            "", "", "Bwd Seg Size Min"),
    Feature("fwd_tcp_retrans_cnt", "packets", "int",
            "forward TCP packets whose numbers, length and window their connection had before",
            "", "", "Fwd TCP Retrans. Count"),
    Feature("bwd_tcp_retrans_cnt", "packets", "int",
            "backward TCP packets whose numbers, length and window their connection had before",
            "", "", "Bwd TCP Retrans. Count"),
    Feature("total_tcp_retrans_cnt", "packets", "int",
            "TCP packets whose numbers, length and window their connection had before",
            "", "", "Total TCP Retrans. Count"),
)
# fmt: on

FEATURES: tuple[Feature, ...] = COMMON + IMPROVED_EXTRA + IMPROVED_2024_EXTRA
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
COMMON_NAMES: tuple[str, ...] = tuple(feature.name for feature in COMMON)
IMPROVED_NAMES: tuple[str, ...] = tuple(feature.name for feature in COMMON + IMPROVED_EXTRA)
IMPROVED_2024_NAMES: tuple[str, ...] = tuple(
    feature.name for feature in COMMON + IMPROVED_EXTRA[:-1] + IMPROVED_2024_EXTRA
)


def schema_id(names: tuple[str, ...]) -> str:
    """Return the id of a feature schema: which features, in which order, in which units.

    A feature that is not of the table, as models of other data sets read them, has a name only.
    """
    text = "\n".join(f"{name} {BY_NAME[name].unit}" if name in BY_NAME else name for name in names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
