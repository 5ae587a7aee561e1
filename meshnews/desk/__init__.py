"""What a desk signs: manifest, bulletin, cards, and the requests for them."""
