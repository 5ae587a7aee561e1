"""Filing, opening and answering: what a reporter sends and a desk reads."""
